//! What a service is given and what it must give.
