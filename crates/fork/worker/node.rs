//! The addon as Node sees it: `serve(control, init)`, which gives a slot its text, and
//! `setTrace(text)`.
//!
//! N-API is a stable interface of the program that loads us.

use core::ffi::{CStr, c_char, c_void};
use core::ptr::null_mut;

use crate::environment;
use crate::serve::{self, Refused};
use crate::sys;
use crate::threads::Refusal;

type Env = *mut c_void;
type Value = *mut c_void;
type Callback = unsafe extern "C" fn(Env, *mut c_void) -> Value;

/// The functions of N-API that are used, found in the program when Node loads us: elsewhere they
/// are not there.
struct Napi {
    create_function: unsafe extern "C" fn(
        env: Env,
        name: *const c_char,
        length: usize,
        callback: Callback,
        data: *mut c_void,
        result: *mut Value,
    ) -> i32,
    set_named_property:
        unsafe extern "C" fn(env: Env, object: Value, name: *const c_char, value: Value) -> i32,
    get_cb_info: unsafe extern "C" fn(
        env: Env,
        info: *mut c_void,
        count: *mut usize,
        arguments: *mut Value,
        this: *mut Value,
        data: *mut *mut c_void,
    ) -> i32,
    get_value_int32: unsafe extern "C" fn(env: Env, value: Value, result: *mut i32) -> i32,
    get_value_string_utf8: unsafe extern "C" fn(
        env: Env,
        value: Value,
        to: *mut c_char,
        bytes: usize,
        length: *mut usize,
    ) -> i32,
    create_string_utf8: unsafe extern "C" fn(
        env: Env,
        text: *const c_char,
        length: usize,
        result: *mut Value,
    ) -> i32,
    throw_error: unsafe extern "C" fn(env: Env, code: *const c_char, message: *const c_char) -> i32,
}

/// Found when Node loads us.
static mut NAPI: Option<Napi> = None;

/// # Safety
/// Only the thread that has loaded us calls this.
unsafe fn napi() -> Option<&'static Napi> {
    // SAFETY: it is written once, by this thread.
    unsafe { (*(&raw const NAPI)).as_ref() }
}

impl Napi {
    fn find() -> Option<Napi> {
        /// # Safety
        /// The function of this name is of this type.
        unsafe fn find<F: Copy>(name: &CStr) -> Option<F> {
            // SAFETY: the name ends with a zero; a function's address is as large as a pointer.
            unsafe {
                let found = sys::dlsym(null_mut(), name.as_ptr());
                let fits = size_of::<F>() == size_of::<*mut c_void>();
                (fits && !found.is_null()).then(|| core::mem::transmute_copy(&found))
            }
        }
        // SAFETY: the types are those that N-API, which never changes, gives these names.
        unsafe {
            Some(Napi {
                create_function: find(c"napi_create_function")?,
                set_named_property: find(c"napi_set_named_property")?,
                get_cb_info: find(c"napi_get_cb_info")?,
                get_value_int32: find(c"napi_get_value_int32")?,
                get_value_string_utf8: find(c"napi_get_value_string_utf8")?,
                create_string_utf8: find(c"napi_create_string_utf8")?,
                throw_error: find(c"napi_throw_error")?,
            })
        }
    }
}

const PATH_BYTES: usize = 4096;
static mut INIT: [u8; PATH_BYTES] = [0; PATH_BYTES];

/// `serve(control: number, init: string): string`
unsafe extern "C" fn serve_js(env: Env, info: *mut c_void) -> Value {
    // SAFETY: Node's workers, which are threads, cannot load it a second time.
    let Some(napi) = (unsafe { napi() }) else { return null_mut() };
    let mut arguments = [null_mut(); 2];
    let (mut count, mut control, mut length) = (2, -1, 0);
    // SAFETY: as N-API documents it; the path is zero-terminated by it.
    unsafe {
        let (this, data) = (null_mut(), null_mut());
        (napi.get_cb_info)(env, info, &raw mut count, arguments.as_mut_ptr(), this, data);
        (napi.get_value_int32)(env, arguments[0], &raw mut control);
        let init = (&raw mut INIT).cast::<c_char>();
        (napi.get_value_string_utf8)(env, arguments[1], init, PATH_BYTES, &raw mut length);
        let message = match serve::serve(control, init.cast()) {
            Ok(text) => {
                let mut value = null_mut();
                (napi.create_string_utf8)(env, text.as_ptr().cast(), text.len(), &raw mut value);
                return value;
            }
            Err(Refused::Threads(Refusal::TooMany)) => c"it has too many threads",
            Err(Refused::Threads(Refusal::UnknownLayout)) => {
                c"this C library keeps a thread's id where we do not find it"
            }
        };
        (napi.throw_error)(env, null_mut(), message.as_ptr());
        null_mut()
    }
}

/// `setTrace(text: string): void`; cuts off what is too long.
unsafe extern "C" fn set_trace_js(env: Env, info: *mut c_void) -> Value {
    // SAFETY: as above.
    let Some(napi) = (unsafe { napi() }) else { return null_mut() };
    let (mut text, mut count, mut length) = (null_mut(), 1, 0);
    // SAFETY: as N-API documents it; the text is zero-terminated by it. Only the main thread of
    // Node has us. What libuv's other threads look up is not this variable.
    unsafe {
        let (this, data) = (null_mut(), null_mut());
        (napi.get_cb_info)(env, info, &raw mut count, &raw mut text, this, data);
        environment::set_trace(|to| {
            let to = to.as_mut_ptr().cast();
            let bytes = environment::BYTES_MAX;
            (napi.get_value_string_utf8)(env, text, to, bytes, &raw mut length);
        });
    }
    null_mut()
}

/// What Node calls when it has loaded us.
#[unsafe(no_mangle)]
unsafe extern "C" fn napi_register_module_v1(env: Env, exports: Value) -> Value {
    // SAFETY: as N-API documents it; the first to be called here.
    unsafe {
        NAPI = Napi::find();
        let Some(napi) = napi() else { return exports };
        let functions: [(&CStr, Callback); 2] = [(c"serve", serve_js), (c"setTrace", set_trace_js)];
        for (name, callback) in functions {
            let (mut function, length) = (null_mut(), name.to_bytes().len());
            let (name, data) = (name.as_ptr(), null_mut());
            (napi.create_function)(env, name, length, callback, data, &raw mut function);
            (napi.set_named_property)(env, exports, name, function);
        }
    }
    exports
}
