//! The one variable of the environment that each event changes.
//!
//! C libraries keep every value that `setenv` was ever given: 140 bytes an event with glibc 2.36,
//! which after a million events is more than small functions may use. `putenv` keeps nothing; the
//! text it is given stays ours to change.

use crate::sys;

const NAME: &[u8] = b"_X_AMZN_TRACE_ID=";
/// The longest value, the zero at its end included. One of Lambda's own has 74 characters.
pub const BYTES_MAX: usize = 512;

static mut VARIABLE: [u8; NAME.len() + BYTES_MAX] = [0; NAME.len() + BYTES_MAX];

/// Sets `_X_AMZN_TRACE_ID` to what `write` puts into the bytes given, a zero at its end.
///
/// # Safety
/// No other thread changes the environment, or reads this variable.
pub unsafe fn set_trace(write: impl FnOnce(&mut [u8; BYTES_MAX])) {
    // SAFETY: nobody else has the text but readers of the environment, of which there are none now.
    unsafe {
        let variable = &mut *(&raw mut VARIABLE);
        let (name, value) = variable.split_at_mut(NAME.len());
        name.copy_from_slice(NAME);
        if let Ok(value) = value.try_into() {
            write(value);
        }
        // Whatever the function has done to it meanwhile.
        sys::putenv(variable.as_mut_ptr().cast());
    }
}
