/// What can go wrong.
#[derive(Debug)]
pub(crate) enum Error {
    NotFound(String),
    /// An operation of this address that is not served.
    NotServed(&'static str),
    InvalidStage(String),
    Store(store::Error),
    /// A member or a definition that is not taken.
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

impl From<Error> for kit::Error {
    fn from(error: Error) -> kit::Error {
        match error {
            Error::NotFound(id) => {
                let message = format!("Invalid API identifier specified {id}");
                kit::Error::new("NotFoundException", 404, message)
            }
            Error::NotServed(what) => kit::Error::not_served(what),
            Error::InvalidStage(name) => kit::Error::sender(
                "BadRequestException",
                format!("Stage name '{name}' only allows a-zA-Z0-9_"),
            ),
            Error::Store(error) => error.into(),
            Error::Refused(error) => error,
        }
    }
}
