use std::ffi::c_void;
use std::io;
use std::ptr;

use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};
use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{PSECURITY_DESCRIPTOR, SECURITY_ATTRIBUTES};

/// Everything for SYSTEM, the administrators and the owner; nobody else, and nothing inherited.
const ACCESS: &str = "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;OW)";

/// Which of the instances of a pipe is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instance {
    /// The first: refused where somebody else has a pipe of this name.
    First,
    /// One more, for the next client.
    Further,
}

/// A pipe that SYSTEM, the administrators and whoever made it may open, from this machine alone.
///
/// # Errors
/// When the system refuses; `PermissionDenied` for a first instance whose name is taken.
pub fn private_pipe(name: &str, instance: Instance) -> io::Result<NamedPipeServer> {
    let descriptor = Descriptor::new(ACCESS)?;
    let mut attributes = SECURITY_ATTRIBUTES {
        nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).map_err(io::Error::other)?,
        lpSecurityDescriptor: descriptor.0,
        bInheritHandle: 0,
    };
    let mut options = ServerOptions::new();
    options.first_pipe_instance(instance == Instance::First).reject_remote_clients(true);
    let attributes = ptr::from_mut(&mut attributes).cast::<c_void>();
    #[expect(unsafe_code, reason = "the only way to give a pipe its access list")]
    // SAFETY: `attributes` and the descriptor in it are valid, and live until the call has returned.
    unsafe {
        options.create_with_security_attributes_raw(name, attributes)
    }
}

/// A security descriptor that the system allocated.
struct Descriptor(PSECURITY_DESCRIPTOR);

impl Descriptor {
    fn new(text: &str) -> io::Result<Self> {
        let text: Vec<u16> = text.encode_utf16().chain([0]).collect();
        let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
        #[expect(unsafe_code, reason = "the only way to make a descriptor from its text")]
        // SAFETY: `text` ends with a zero, `descriptor` is written to, and the size is not asked for.
        let made = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                ptr::null_mut(),
            )
        };
        if made == 0 { Err(io::Error::last_os_error()) } else { Ok(Self(descriptor)) }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "what the system allocated is given back to it")]
        // SAFETY: it was allocated by the call in `new`, and is freed once.
        unsafe {
            LocalFree(self.0);
        }
    }
}
