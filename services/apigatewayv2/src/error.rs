use gateway::apis::InvalidDefinition;

/// What can go wrong.
#[derive(Debug)]
pub(crate) enum Error {
    NotFound(String),
    Invalid(InvalidDefinition),
    Store(store::Error),
    /// A member that is not served.
    Refused(kit::Error),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        Error::Store(error)
    }
}

impl From<kit::Error> for Error {
    fn from(error: kit::Error) -> Error {
        Error::Refused(error)
    }
}

impl From<InvalidDefinition> for Error {
    fn from(error: InvalidDefinition) -> Error {
        Error::Invalid(error)
    }
}

impl From<Error> for kit::Error {
    fn from(error: Error) -> kit::Error {
        match error {
            Error::NotFound(id) => {
                let message = format!("Invalid API identifier specified {id}");
                kit::Error::new("NotFoundException", 404, message)
            }
            Error::Invalid(why) => kit::Error::sender("BadRequestException", why.to_string()),
            Error::Store(error) => error.into(),
            Error::Refused(error) => error,
        }
    }
}
