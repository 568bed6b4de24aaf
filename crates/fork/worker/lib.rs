//! What a worker loads so that it can be a template: a process that has loaded a function once and
//! makes slots, copies of itself, on order.
//!
//! Node loads it as an addon (`napi_register_module_v1`), Python as a plain library
//! (`cumulet_serve`). It is compiled by `build.rs` by itself, and carried in the program.
//!
//! The way of a fork: `serve` parks the other threads once and waits. An order comes over a socket
//! from the launcher. `slot` makes the namespaces and, when there is an event, the copy; there
//! `descriptors` are renewed and `threads` made anew, and `serve` returns to the worker's own code.

mod arch;
mod descriptors;
mod environment;
mod message;
mod node;
mod order;
mod serve;
mod slot;
mod sys;
mod threads;

/// For runtimes that can call a C function: see [`serve::serve`]. In a slot it gives the length of
/// what is for the worker and, in `text`, where that is; in a template it does not return, unless
/// nothing can be forked: then it gives -1.
///
/// # Safety
/// `init` is a path that ends with a zero and stays; `text` is valid for one write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cumulet_serve(
    control: i32,
    init: *const u8,
    text: *mut *const u8,
) -> isize {
    match serve::serve(control, init) {
        Ok(rest) => {
            // SAFETY: as promised.
            unsafe { *text = rest.as_ptr() };
            isize::try_from(rest.len()).unwrap_or(-1)
        }
        Err(_refused) => -1,
    }
}

/// Sets the variable `_X_AMZN_TRACE_ID`, where it is not too long; whether it did.
///
/// # Safety
/// `text` is valid for its length and has no zero; no other thread changes the environment, or
/// reads this variable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cumulet_set_trace(text: *const u8, length: usize) -> bool {
    if length >= environment::BYTES_MAX {
        return false;
    }
    // SAFETY: as promised.
    unsafe {
        let text = core::slice::from_raw_parts(text, length);
        environment::set_trace(|to| {
            to[..length].copy_from_slice(text);
            to[length] = 0;
        });
    }
    true
}
