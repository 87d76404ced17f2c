//! The composition: builder, start, stop.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use arc_swap::ArcSwap;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vigo_ca::tls;
use vigo_core::store::{Revision, Store};
use vigo_core::{ChallengeKey, Epoch, Pin, TokenText, UnixTime};
use vigo_enroll::operate::{Act, AnyHost, TokenRequest};
use vigo_enroll::script::{OneLiner, ScriptValues, System, WebCertificate, one_liner};
use vigo_enroll::token::TokenKey;
use vigo_enroll::{AdmissionHook, HashPool, Registrar, RegistrarParts};
use vigo_policy::{Catalogue, Stacks};
use zeroize::Zeroizing;

use crate::access::{Account, AccountName, NewAccount, Password, Passwords, Role, Throttle};
use crate::admin::{self, AdminSocket};
use crate::agents::{self, Agents};
use crate::app::{self, App};
use crate::certificates::{self, Certificates, Parts};
use crate::checkins::CheckIns;
use crate::clock;
use crate::config::{ApiTls, Config};
use crate::connections::Connections;
use crate::fleet::FleetIndex;
use crate::happenings::Happenings;
use crate::home::Home;
use crate::listen::{self, Listener, Workers};
use crate::{follow, grpc, http, names, seen, sequencer};

/// How often last-seen times are written, unless the builder says otherwise.
const FLUSH: Duration = Duration::from_secs(5);
/// How many token hashes may wait for the pool.
const HASH_QUEUE: usize = 256;

/// A server that is not started yet.
pub struct Server {
    app: Arc<App>,
    dir: PathBuf,
    loaded: Revision,
    warnings: Vec<String>,
    flush: Duration,
    routes: Option<axum::Router>,
}

/// Puts a server together.
pub struct Builder {
    config: Config,
    dir: PathBuf,
    flush: Duration,
    store_layer: StoreLayer,
    hook: Option<Arc<dyn AdmissionHook>>,
    routes: Option<axum::Router>,
}

/// What is put around the store that a home holds.
type StoreLayer = Box<dyn FnOnce(Arc<dyn Store>) -> Arc<dyn Store> + Send>;

/// A server that serves. Stop it with [`Running::stop`].
pub struct Running {
    app: Arc<App>,
    stop: CancellationToken,
    background: CancellationToken,
    workers: Workers,
    tasks: Vec<JoinHandle<()>>,
    grpc: SocketAddr,
    api: SocketAddr,
    warnings: Vec<String>,
}

impl Server {
    /// A server with this configuration, whose home is `dir`.
    #[must_use]
    pub fn builder(config: Config, dir: PathBuf) -> Builder {
        Builder { config, dir, flush: FLUSH, store_layer: Box::new(|store| store), hook: None, routes: None }
    }
}

impl Builder {
    /// How often last-seen times are written; a crash loses those since the last time. Five seconds unless said.
    #[must_use]
    pub fn flush_every(self, period: Duration) -> Self {
        Self { flush: period, ..self }
    }

    /// Puts something around the store: a count, a cache, a test's faults.
    #[must_use]
    pub fn store_layer(self, layer: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store> + Send + 'static) -> Self {
        Self { store_layer: Box::new(layer), ..self }
    }

    /// Serves routes of yours beside Vigo's on the HTTPS listener (8443), over the same TLS and within the same limits.
    ///
    /// A request that Vigo has no route for is given to `routes`, whose fallback answers for what it has none for
    /// either; so a route of Vigo's can never be taken over. None of Vigo's headers is added to your answers, and nobody
    /// has logged in: the listener is open to all. Each request carries where it came from, trusted proxies taken into
    /// account, as an extension: `axum::Extension<vigo_core::ClientAddr>`. Called twice, the second call counts.
    #[must_use]
    pub fn routes(self, routes: axum::Router) -> Self {
        Self { routes: Some(routes), ..self }
    }

    /// Has whom the rules admit asked about once more; see [`AdmissionHook`].
    #[must_use]
    pub fn admission_hook(self, hook: Arc<dyn AdmissionHook>) -> Self {
        Self { hook: Some(hook), ..self }
    }

    /// Opens the home (and makes it, the first time), loads policies and the fleet.
    ///
    /// # Errors
    /// With what is wrong and how to mend it.
    pub async fn build(self) -> anyhow::Result<Server> {
        let Self { config, dir, flush, store_layer, hook, routes } = self;
        let mut home = Home::open(&config, &dir).await?;
        home.store = store_layer(home.store);
        let mut warnings = home.warnings;
        let stacks = Stacks::load(&dir.join(&config.stacks.dir))?;
        warnings.extend(stacks.warnings().iter().map(ToString::to_string));
        let catalogue = Catalogue::sign(&stacks, &home.signing, &home.server)?;

        let deny = Arc::new(tls::DenySet::new());
        let root = home.authority.root().clone();
        let public = config
            .server
            .api_tls
            .as_ref()
            .map(|files| ApiTls { cert_file: dir.join(&files.cert_file), key_file: dir.join(&files.key_file) });
        let certificate = if public.is_some() { WebCertificate::PubliclyTrusted } else { WebCertificate::OwnCa };
        let leaf_pin = home.leaf.pin();
        let parts = Parts {
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
            server: home.server,
            root: root.clone(),
            deny: Arc::clone(&deny),
            files: home.leaf_files,
            names: home.names,
            public,
        };
        let certificates = Certificates::new(parts, home.leaf)?;

        let ports = (config.server.grpc_listen.0.port(), config.server.api_listen.0.port());
        let script = ScriptValues::new(
            &names::with_port(&home.public.host, ports.0),
            &format!("https://{}", names::with_port(&home.public.host, ports.1)),
            root.pin,
            leaf_pin,
            certificate,
        )?;
        let authority = Arc::new(home.authority);
        // Half of the cores, so that hashing never starves check-ins.
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = NonZeroUsize::new(cores / 2).unwrap_or(NonZeroUsize::MIN);
        let hashes = Arc::new(HashPool::new(threads, HASH_QUEUE, config.bootstrap.token_hash.cost.0)?);
        let registrar = Registrar::new(RegistrarParts {
            store: Arc::clone(&home.store),
            issuer: Arc::clone(&authority) as Arc<dyn vigo_core::Issuer>,
            tokens: TokenKey::derive(&home.fleet_key),
            hashes: Arc::clone(&hashes),
            rules: app::rules(&config, home.store.as_ref()).await?,
            roots: vec![root.pin],
        });
        let registrar = match hook {
            Some(hook) => registrar.with_hook(hook),
            None => registrar,
        };
        let app = Arc::new(App {
            server: home.server,
            certificates,
            registrar,
            token_key: TokenKey::derive(&home.fleet_key),
            hashes,
            fleet: FleetIndex::new(),
            passwords: Passwords::new().map_err(|error| anyhow::anyhow!("argon2: {error}"))?,
            throttle: Throttle::new(),
            happenings: Happenings::new(),
            deny,
            connections: Arc::new(Connections::at_most(raise_descriptors())),
            checkins: CheckIns {
                server: home.server,
                signing: home.signing,
                challenges: ChallengeKey::derive(&home.fleet_key),
                epoch: Epoch::from_random(clock::random()),
                interval: config.checkin.interval.0,
                catalogue: ArcSwap::from_pointee(catalogue),
                offers: agents::Offers::default(),
            },
            downloads: Arc::default(),
            envoy_downloads: Arc::default(),
            agents: Agents::new(
                dir.join(&config.agents.dir),
                agents::signing_keys(&config.agents.signing_keys.0).context("agents.signing_keys")?,
            ),
            script,
            metrics: recorder(),
            ready: ArcSwap::from_pointee(false),
            authority,
            store: home.store,
            config,
        });
        let loaded = follow::load(&app).await?;
        seen::load(&app.fleet, app.store.as_ref()).await?;
        Ok(Server { app, dir, loaded, warnings, flush, routes })
    }
}

/// The process's recorder of metrics; the first server of a process installs it, later ones share it.
fn recorder() -> metrics_exporter_prometheus::PrometheusHandle {
    static HANDLE: std::sync::OnceLock<metrics_exporter_prometheus::PrometheusHandle> = std::sync::OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new().build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("the embedding program records metrics itself: /metrics stays empty");
            }
            handle
        })
        .clone()
}

impl Server {
    /// Listens and serves.
    ///
    /// # Errors
    /// When a port or the admin socket cannot be had.
    pub async fn start(self) -> anyhow::Result<Running> {
        let Self { app, dir, loaded, warnings, flush, routes } = self;
        let stop = CancellationToken::new();
        let background = CancellationToken::new();
        let bind = |name: &str, address: SocketAddr| {
            listen::bind(address).with_context(|| {
                format!(
                    "cannot listen on {address} (server.{name}_listen): choose another port, or end what listens there"
                )
            })
        };
        let grpc_socket = bind("grpc", app.config.server.grpc_listen.0)?;
        let api_socket = bind("api", app.config.server.api_listen.0)?;
        let path = dir.join("run/admin.sock");
        let admin = AdminSocket::bind(&path).with_context(|| format!("the admin socket {}", path.display()))?;
        let (grpc, api) = (grpc_socket.local_addr()?, api_socket.local_addr()?);
        let workers = Workers::start(&stop)?;
        let listener = |name, tls, router| {
            Arc::new(Listener {
                name,
                tls,
                router,
                connections: Arc::clone(&app.connections),
                deny: Arc::clone(&app.deny),
            })
        };
        let accepts = [
            (grpc_socket, listener("grpc", app.certificates.grpc(), grpc::router(&app))),
            (api_socket, listener("api", app.certificates.api(), http::router(&app, routes))),
        ];
        let mut tasks: Vec<JoinHandle<()>> =
            accepts.into_iter().map(|(socket, listener)| tokio::spawn(workers.accept(socket, listener))).collect();
        tasks.push(tokio::spawn(admin.serve(admin::socket_router(&app), stop.clone())));
        tasks.push(tokio::spawn(certificates::run(Arc::clone(&app), background.clone())));
        tasks.push(tokio::spawn(follow::run(Arc::clone(&app), loaded, background.clone())));
        tasks.push(tokio::spawn({
            let (app, stop) = (Arc::clone(&app), background.clone());
            async move { sequencer::run(app.store.as_ref(), stop).await }
        }));
        tasks.push(tokio::spawn({
            let (app, stop) = (Arc::clone(&app), background.clone());
            async move { app.agents.watch(&app.checkins.offers, stop).await }
        }));
        tasks.push(tokio::spawn(flushes(Arc::clone(&app), flush, background.clone())));
        app.ready.store(Arc::new(true));
        tracing::info!(%grpc, %api, fleet = %app.server, ca_pin = %app.authority.root().pin, "serving");
        Ok(Running { app, stop, background, workers, tasks, grpc, api, warnings })
    }
}

async fn flushes(app: Arc<App>, period: Duration, stop: CancellationToken) {
    loop {
        let last = tokio::select! {
            () = stop.cancelled() => true,
            () = tokio::time::sleep(period) => false,
        };
        if let Err(error) = seen::flush(&app.fleet, app.store.as_ref(), app.checkins.epoch).await {
            tracing::error!(%error, "last-seen times were not written; they are kept and tried again");
        }
        if last {
            return;
        }
    }
}

/// Every connection is a descriptor: takes as many as the system gives, and tells how many connections that allows. Some
/// are kept for the store, the log and the operators' socket.
fn raise_descriptors() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    const RESERVE: u64 = 256;
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let most = match limit.current == limit.maximum || setrlimit(Resource::Nofile, raised).is_ok() {
        true => limit.maximum,
        false => limit.current,
    };
    most.map_or(usize::MAX, |most| usize::try_from(most.saturating_sub(RESERVE).max(64)).unwrap_or(usize::MAX))
}

impl Running {
    /// Where agents enrol and check in.
    #[must_use]
    pub fn grpc_addr(&self) -> SocketAddr {
        self.grpc
    }

    /// Where bootstrap and the API are.
    #[must_use]
    pub fn api_addr(&self) -> SocketAddr {
        self.api
    }

    /// The pin of the fleet's CA.
    #[must_use]
    pub fn ca_pin(&self) -> Pin {
        self.app.authority.root().pin
    }

    /// What the operator should know.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The public address of the API.
    #[must_use]
    pub fn api_url(&self) -> &str {
        self.app.script.api_addr()
    }

    /// The line that brings the next machine in.
    #[must_use]
    pub fn one_liner(&self, token: &TokenText) -> String {
        let signing_pin = self.app.signing_pin(System::default().name());
        one_liner(&self.app.script, &OneLiner { token: Some(token), signing_pin, ..OneLiner::default() })
    }

    /// A token for any one hostname: one use, an hour, replaces nothing; and when it ends.
    pub(crate) async fn any_host_token(&self) -> anyhow::Result<(TokenText, String)> {
        let request =
            TokenRequest { any_host: AnyHost::Confirmed, note: "quickstart".into(), ..TokenRequest::new("*".parse()?) };
        let act = Act { by: "quickstart".into(), now: clock::now(), audit: clock::random() };
        let (text, record) = admin::create_token(&self.app, request, &act).await?;
        Ok((text, admin::rfc3339(record.expires_at)))
    }

    /// Makes the first account, an admin, where there is none yet: its password, which nobody can read again.
    pub(crate) async fn first_admin(&self) -> anyhow::Result<Option<(AccountName, Zeroizing<String>)>> {
        let store = self.app.store.as_ref();
        if !Account::all(store).await?.is_empty() {
            return Ok(None);
        }
        let name: AccountName = "admin".parse()?;
        let (password, text) = Password::drawn();
        let new = NewAccount { name: name.clone(), role: Role::Admin, password };
        Account::create(store, &self.app.passwords, new, "quickstart").await?;
        Ok(Some((name, text)))
    }

    /// The name of the envoy that an agent's configuration names, if it was revoked.
    pub(crate) fn revoked_on(&self, config: &std::path::Path) -> Option<String> {
        let text = std::fs::read_to_string(config).ok()?;
        let id = text.lines().find_map(|line| line.strip_prefix("envoy_id: "))?.parse().ok()?;
        let envoy = self.app.fleet.get(&id)?;
        let live = envoy.live();
        live.record.revocation.as_ref().map(|_| live.record.hostname.to_string())
    }

    /// Waits until an envoy has checked in with this process.
    pub(crate) async fn first_check_in(&self, most: Duration) -> anyhow::Result<()> {
        let started: UnixTime = clock::now();
        let seen = async {
            while !self.app.fleet.all().iter().any(|envoy| {
                envoy.live().unwritten || { envoy.live().seen.as_ref().is_some_and(|seen| seen.at >= started) }
            }) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(most, seen).await.is_err() {
            bail!("the agent of this host did not check in within {} s", most.as_secs());
        }
        Ok(())
    }

    /// Stops: no new connections, ten seconds for the open ones, then the last flush.
    pub async fn stop(self) {
        tracing::info!("stopping");
        self.app.ready.store(Arc::new(false));
        self.app.happenings.end();
        self.stop.cancel();
        let workers = self.workers;
        if tokio::task::spawn_blocking(move || workers.join()).await.is_err() {
            tracing::error!("waiting for the connections failed");
        }
        self.background.cancel();
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task ended badly");
            }
        }
    }
}
