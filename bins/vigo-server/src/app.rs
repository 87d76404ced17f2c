//! What the parts of a running server share.

use std::sync::Arc;

use arc_swap::ArcSwap;
use vigo_ca::tls::DenySet;
use vigo_ca::{CertificateAuthority, PeerIdentity};
use vigo_core::audit::AuditRecord;
use vigo_core::record::{EnvoyRecord, Record};
use vigo_core::store::{Outcome, Store, StoreError, Transaction};
use vigo_core::{EnvoyId, Pin, ServerId, keyspace};
use vigo_enroll::rules::Rules;
use vigo_enroll::script::ScriptValues;
use vigo_enroll::token::TokenKey;
use vigo_enroll::{HashPool, Registrar, operate};

use crate::access::{Passwords, Throttle};
use crate::agents::Agents;
use crate::certificates::Certificates;
use crate::checkins::CheckIns;
use crate::clock;
use crate::config::Config;
use crate::connections::Connections;
use crate::downloads::Downloads;
use crate::fleet::{Envoy, FleetIndex};
use crate::happenings::{Change, Happenings};

/// What the parts of a running server share.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) server: ServerId,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) authority: Arc<CertificateAuthority>,
    pub(crate) certificates: Certificates,
    pub(crate) registrar: Registrar<dyn Store>,
    pub(crate) token_key: TokenKey,
    pub(crate) hashes: Arc<HashPool>,
    pub(crate) fleet: FleetIndex,
    pub(crate) passwords: Passwords,
    /// Of tries to log in.
    pub(crate) throttle: Throttle,
    pub(crate) happenings: Happenings,
    pub(crate) deny: Arc<DenySet>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) checkins: CheckIns,
    pub(crate) agents: Agents,
    /// Of strangers, who have none of the envoys' places.
    pub(crate) downloads: Arc<Downloads>,
    pub(crate) envoy_downloads: Arc<Downloads>,
    pub(crate) script: ScriptValues,
    pub(crate) metrics: metrics_exporter_prometheus::PrometheusHandle,
    pub(crate) ready: ArcSwap<bool>,
}

impl App {
    /// Takes a record as the newest of its envoy, here and now: a revoked one is refused from this moment on and its
    /// connections are closed.
    pub(crate) fn apply(&self, record: EnvoyRecord) -> Arc<Envoy> {
        let (id, revoked) = (record.id, record.revocation.is_some());
        let known = self.fleet.get(&id).map(|envoy| Arc::clone(&envoy.live().record));
        let change = Change::between(known.as_deref(), &record);
        let envoy = self.fleet.apply(record);
        if let Some(change) = change {
            self.happenings.tell(id, change);
        }
        if revoked {
            self.deny.deny_envoy(id);
            self.connections.close(&id);
        }
        envoy
    }

    /// The envoy of a certificate: from memory, or from the store where another server enrolled it.
    pub(crate) async fn envoy(&self, id: EnvoyId) -> Result<Option<Arc<Envoy>>, StoreError> {
        if let Some(envoy) = self.fleet.get(&id) {
            return Ok(Some(envoy));
        }
        let Some(entry) = self.store.get(keyspace::envoy(&id).as_bytes()).await? else { return Ok(None) };
        let record = EnvoyRecord::decode(&entry.value).map_err(|error| StoreError::Damaged(error.to_string()))?;
        Ok(Some(self.apply(record)))
    }

    /// The pin of the key that a new machine of this system is told to demand: the one that signed its agents, or the
    /// current one where none lies there yet; `None` without signing keys.
    pub(crate) fn signing_pin(&self, os: &str) -> Option<Pin> {
        self.checkins.offers.signing_pin(os).or_else(|| self.agents.signing_pin())
    }

    /// Whether a peer is refused.
    pub(crate) fn denies(&self, peer: &PeerIdentity) -> bool {
        self.deny.denies(peer)
    }

    /// Reads the approved patterns and puts the rules in force.
    pub(crate) async fn reload_rules(&self) -> anyhow::Result<()> {
        self.registrar.set_rules(rules(&self.config, self.store.as_ref()).await?);
        Ok(())
    }

    /// Writes an audit record of something that is not part of another commit.
    pub(crate) async fn note(&self, record: &AuditRecord) {
        let key = keyspace::audit_record(clock::random());
        let transaction = Transaction::new().absent(key.clone()).put(key, record.encode());
        match self.store.commit(transaction).await {
            Ok(Outcome::Committed(_)) => {}
            outcome => tracing::error!(?outcome, action = record.action, "an audit record was not written"),
        }
    }
}

/// The rules of the configuration, and the approved patterns of the store.
pub(crate) async fn rules(config: &Config, store: &dyn Store) -> anyhow::Result<Rules> {
    use crate::config::ReenrollMode;
    use vigo_enroll::rules::{Reenroll, TrustedRule};
    let approved = operate::approvals(store).await?;
    let trusted = config
        .bootstrap
        .trusted_enrollment
        .iter()
        .map(|rule| TrustedRule::new(rule.pattern.0.clone(), rule.cidrs.0.clone()))
        .collect::<Result<Vec<_>, _>>()?;
    let reenroll = match config.bootstrap.reenroll {
        ReenrollMode::Proof => Reenroll::Proof,
        ReenrollMode::Token => Reenroll::Token,
        ReenrollMode::Any => Reenroll::Any,
    };
    Ok(Rules::new(trusted, approved, reenroll))
}
