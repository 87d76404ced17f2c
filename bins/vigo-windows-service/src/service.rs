use std::ffi::OsString;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use windows_service::service::{
    ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};
use windows_service::{define_windows_service, service_dispatcher};

pub use windows_service::Error as ServiceError;

/// Windows' number for "no service was started here": a person started the program.
const NOT_A_SERVICE: i32 = 1063;

/// Whether the service control manager started this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    /// It did, and the daemon has ended.
    AsService,
    /// It did not, and nothing was run.
    NotAService,
}

struct Body {
    name: &'static str,
    stop: Box<dyn Fn() + Send + Sync>,
    daemon: Box<dyn FnOnce() -> u32 + Send>,
}

/// The dispatcher calls a function, which cannot hold anything: what it is to run lies here.
static BODY: Mutex<Option<Body>> = Mutex::new(None);

// What is unsafe in it is the library's own: the system calls `entry` with pointers to arguments, of which none is needed.
define_windows_service!(entry, serve_arguments);

fn serve_arguments(_: Vec<OsString>) {
    serve();
}

/// Runs `daemon` as the service `name` where the service control manager started this process. `stop` is called when it
/// wants the service to end; an end with another number than 0 counts as a failure, after which it starts the service
/// again.
///
/// # Errors
/// When the service control manager cannot be spoken with.
pub fn run(
    name: &'static str,
    stop: impl Fn() + Send + Sync + 'static,
    daemon: impl FnOnce() -> u32 + Send + 'static,
) -> Result<Ran, ServiceError> {
    let body = Body { name, stop: Box::new(stop), daemon: Box::new(daemon) };
    *BODY.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
    match service_dispatcher::start(name, entry) {
        Err(ServiceError::Winapi(error)) if error.raw_os_error() == Some(NOT_A_SERVICE) => Ok(Ran::NotAService),
        other => other.map(|()| Ran::AsService),
    }
}

/// The service, from its start to its end. A failure to speak with the service control manager ends the process' only
/// purpose: it is what the manager then sees.
fn serve() {
    let Some(Body { name, stop, daemon }) = BODY.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    let handler = move |control| match control {
        ServiceControl::Stop | ServiceControl::Shutdown => {
            stop();
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    };
    let Ok(handle) = service_control_handler::register(name, handler) else { return };
    let tell = |state: ServiceState, accepted: ServiceControlAccept, exit_code: ServiceExitCode| {
        handle.set_service_status(ServiceStatus {
            service_type: ServiceType::OWN_PROCESS,
            current_state: state,
            controls_accepted: accepted,
            exit_code,
            checkpoint: 0,
            wait_hint: Duration::ZERO,
            process_id: None,
        })
    };
    let stoppable = ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN;
    if tell(ServiceState::Running, stoppable, ServiceExitCode::Win32(0)).is_err() {
        return;
    }
    let exit_code = match daemon() {
        0 => ServiceExitCode::Win32(0),
        code => ServiceExitCode::ServiceSpecific(code),
    };
    // The process ends with this; there is nobody to tell of a failure.
    let _ = tell(ServiceState::Stopped, ServiceControlAccept::empty(), exit_code);
}

/// Whether this process may install services, as administrators may.
#[must_use]
pub fn may_install_services() -> bool {
    let access = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
    ServiceManager::local_computer(None::<&str>, access).is_ok()
}
