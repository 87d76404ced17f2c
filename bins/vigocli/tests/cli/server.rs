use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::sync::oneshot;

/// What the server sends back.
#[derive(Clone)]
pub(crate) enum Answer {
    /// A well-formed response.
    Json(u16, String),
    /// These bytes once a request began to arrive; then the connection is closed.
    Raw(Vec<u8>),
}

/// A server of one home, `server.yaml` and `run/admin.sock`. It stops when dropped.
pub(crate) struct Server {
    home: tempfile::TempDir,
    requests: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// A server that gives these answers in turn, the last one for ever.
    pub(crate) fn start(answers: Vec<Answer>) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("server.yaml"), "").unwrap();
        std::fs::create_dir(home.path().join("run")).unwrap();
        let socket = home.path().join("run/admin.sock");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        let (stop, stopped) = oneshot::channel();
        // Bound before the thread starts: whoever connects next is heard.
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let serving = serve(UnixListener::from_std(listener).unwrap(), answers, log);
                tokio::select! { () = serving => {}, _ = stopped => {} }
            });
        });
        Self { home, requests, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.home.path().join("server.yaml")
    }

    /// `METHOD path body` of each request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: UnixListener, answers: Vec<Answer>, log: Arc<Mutex<Vec<String>>>) {
    let mut answers = answers.into_iter().peekable();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let left = answers.len();
        let answer = match answers.peek() {
            Some(last) if left == 1 => last.clone(),
            _ => answers.next().unwrap(),
        };
        match answer {
            Answer::Raw(bytes) => {
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(&bytes).await;
            }
            Answer::Json(status, body) => {
                let service = service_fn(|request| respond(request, status, body.clone(), &log));
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            }
        }
    }
}

async fn respond(
    request: Request<Incoming>,
    status: u16,
    answer: String,
    log: &Mutex<Vec<String>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let line = format!("{} {} {}", head.method, head.uri, String::from_utf8_lossy(&body));
    log.lock().unwrap().push(line.trim_end().to_owned());
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    Ok(response.body(Full::from(answer)).unwrap())
}
