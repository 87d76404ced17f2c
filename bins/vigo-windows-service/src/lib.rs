//! What the Vigo agent needs of Windows and only unsafe code can ask for: to be a service, and a pipe with an access list.
//! On other systems there is nothing in it.

#[cfg(windows)]
mod pipe;
#[cfg(windows)]
mod service;

#[cfg(windows)]
pub use pipe::{Instance, private_pipe};
#[cfg(windows)]
pub use service::{Ran, ServiceError, may_install_services, run};
