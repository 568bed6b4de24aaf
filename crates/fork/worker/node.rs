//! The addon as Node sees it: `serve(control, init)`, which gives a slot its text.
//!
//! N-API is a stable interface, resolved in the program that loads us.

use core::ffi::{c_char, c_void};
use core::ptr::null_mut;

use crate::serve::{self, Refused};
use crate::threads::Refusal;

type Env = *mut c_void;
type Value = *mut c_void;
type Callback = unsafe extern "C" fn(Env, *mut c_void) -> Value;

unsafe extern "C" {
    fn napi_create_function(
        env: Env,
        name: *const c_char,
        length: usize,
        callback: Callback,
        data: *mut c_void,
        result: *mut Value,
    ) -> i32;
    fn napi_set_named_property(env: Env, object: Value, name: *const c_char, value: Value) -> i32;
    fn napi_get_cb_info(
        env: Env,
        info: *mut c_void,
        count: *mut usize,
        arguments: *mut Value,
        this: *mut Value,
        data: *mut *mut c_void,
    ) -> i32;
    fn napi_get_value_int32(env: Env, value: Value, result: *mut i32) -> i32;
    fn napi_get_value_string_utf8(
        env: Env,
        value: Value,
        to: *mut c_char,
        bytes: usize,
        length: *mut usize,
    ) -> i32;
    fn napi_create_string_utf8(
        env: Env,
        text: *const c_char,
        length: usize,
        result: *mut Value,
    ) -> i32;
    fn napi_throw_error(env: Env, code: *const c_char, message: *const c_char) -> i32;
}

const PATH_BYTES: usize = 4096;
static mut INIT: [u8; PATH_BYTES] = [0; PATH_BYTES];

/// `serve(control: number, init: string): string`
unsafe extern "C" fn serve_js(env: Env, info: *mut c_void) -> Value {
    let mut arguments = [null_mut(); 2];
    let (mut count, mut control, mut length) = (2, -1, 0);
    // SAFETY: as N-API documents it; the path is zero-terminated by it.
    unsafe {
        let (this, data) = (null_mut(), null_mut());
        napi_get_cb_info(env, info, &raw mut count, arguments.as_mut_ptr(), this, data);
        napi_get_value_int32(env, arguments[0], &raw mut control);
        let init = (&raw mut INIT).cast::<c_char>();
        napi_get_value_string_utf8(env, arguments[1], init, PATH_BYTES, &raw mut length);
        let message = match serve::serve(control, init.cast()) {
            Ok(text) => {
                let mut value = null_mut();
                napi_create_string_utf8(env, text.as_ptr().cast(), text.len(), &raw mut value);
                return value;
            }
            Err(Refused::Threads(Refusal::TooMany)) => c"it has too many threads",
            Err(Refused::Threads(Refusal::UnknownLayout)) => {
                c"this C library keeps a thread's id where we do not find it"
            }
        };
        napi_throw_error(env, null_mut(), message.as_ptr());
        null_mut()
    }
}

/// What Node calls when it has loaded us.
#[unsafe(no_mangle)]
unsafe extern "C" fn napi_register_module_v1(env: Env, exports: Value) -> Value {
    // SAFETY: as N-API documents it.
    unsafe {
        let mut function = null_mut();
        let name = c"serve".as_ptr();
        napi_create_function(env, name, 5, serve_js, null_mut(), &raw mut function);
        napi_set_named_property(env, exports, name, function);
    }
    exports
}
