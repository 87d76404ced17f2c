//! The systems that the agent is for, and what can be done for each where Vigo is built.

use clap::ValueEnum;

/// One system.
#[derive(Debug)]
pub(crate) struct Target {
    /// `<os>-<arch>`, as the server names it.
    pub(crate) name: &'static str,
    /// As Rust names it.
    pub(crate) triple: &'static str,
    /// As zig names it.
    pub(crate) zig: &'static str,
    /// Where its cryptography comes from.
    pub(crate) provider: Provider,
    /// How it is linked here.
    pub(crate) link: Link,
    /// How it is run here.
    pub(crate) run: Run,
    /// What is done where neither targets nor all of them are asked for.
    pub(crate) usual: Usual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    AwsLc,
    Ring,
}

impl Provider {
    pub(crate) const fn feature(self) -> &'static str {
        match self {
            Self::AwsLc => "aws-lc",
            Self::Ring => "ring",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// By cargo-zigbuild.
    Zigbuild,
    /// By cargo, with zig behind a script that leaves out what zig brings itself.
    Script,
    /// Not here, for this reason.
    Not(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    Natively,
    /// By this program, for another processor.
    Qemu(&'static str),
    Wine,
    Not,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usual {
    Build,
    /// One of its family is checked, with the provider that is compiled sooner.
    Check,
    Nothing,
}

/// What is done for a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    Build,
    Check,
}

/// All of them.
pub(crate) static TARGETS: [Target; 9] = [
    Target {
        name: "linux-x86_64",
        triple: "x86_64-unknown-linux-musl",
        zig: "x86_64-linux-musl",
        provider: Provider::AwsLc,
        link: Link::Zigbuild,
        run: Run::Natively,
        usual: Usual::Build,
    },
    Target {
        name: "linux-aarch64",
        triple: "aarch64-unknown-linux-musl",
        zig: "aarch64-linux-musl",
        provider: Provider::AwsLc,
        link: Link::Zigbuild,
        run: Run::Qemu("qemu-aarch64-static"),
        usual: Usual::Nothing,
    },
    Target {
        name: "macos-x86_64",
        triple: "x86_64-apple-darwin",
        zig: "x86_64-macos",
        provider: Provider::AwsLc,
        link: Link::Zigbuild,
        run: Run::Not,
        usual: Usual::Nothing,
    },
    Target {
        name: "macos-aarch64",
        triple: "aarch64-apple-darwin",
        zig: "aarch64-macos",
        provider: Provider::AwsLc,
        link: Link::Zigbuild,
        run: Run::Not,
        usual: Usual::Check,
    },
    Target {
        name: "freebsd-x86_64",
        triple: "x86_64-unknown-freebsd",
        zig: "x86_64-freebsd",
        provider: Provider::AwsLc,
        link: Link::Zigbuild,
        run: Run::Not,
        usual: Usual::Check,
    },
    Target {
        name: "openbsd-x86_64",
        triple: "x86_64-unknown-openbsd",
        zig: "x86_64-openbsd",
        provider: Provider::AwsLc,
        link: Link::Not("what zig links does not name OpenBSD's libc by its version; build it on OpenBSD"),
        run: Run::Not,
        usual: Usual::Check,
    },
    Target {
        name: "netbsd-x86_64",
        triple: "x86_64-unknown-netbsd",
        zig: "x86_64-netbsd",
        provider: Provider::AwsLc,
        link: Link::Script,
        run: Run::Not,
        usual: Usual::Check,
    },
    Target {
        name: "illumos-x86_64",
        triple: "x86_64-unknown-illumos",
        // zig has no libc of illumos: another's headers do for what is compiled and not linked.
        zig: "x86_64-linux-musl",
        provider: Provider::Ring,
        link: Link::Not("zig has no libc of illumos; build it on illumos"),
        run: Run::Not,
        usual: Usual::Check,
    },
    Target {
        name: "windows-x86_64",
        triple: "x86_64-pc-windows-gnu",
        zig: "x86_64-windows-gnu",
        provider: Provider::AwsLc,
        link: Link::Script,
        run: Run::Wine,
        usual: Usual::Check,
    },
];

impl Target {
    /// What can be done for it here.
    pub(crate) const fn job(&self) -> Job {
        match self.link {
            Link::Not(_) => Job::Check,
            Link::Zigbuild | Link::Script => Job::Build,
        }
    }

    /// The name of its binary as cargo writes it.
    pub(crate) fn binary(&self) -> &'static str {
        if self.name.starts_with("windows-") { "vigo.exe" } else { "vigo" }
    }
}

/// One of [`TARGETS`], by its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named(pub(crate) &'static Target);

impl ValueEnum for Named {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: [Named; 9] = {
            let mut all = [Named(&TARGETS[0]); 9];
            let mut at = 0;
            while at < all.len() {
                all[at] = Named(&TARGETS[at]);
                at += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.name))
    }
}

/// A target, what is done for it, and with which cryptography.
pub(crate) type Order = (&'static Target, Job, Provider);

/// What is to be done.
pub(crate) fn orders(named: &[Named], all: bool) -> Vec<Order> {
    let whole = |target: &'static Target| (target, target.job(), target.provider);
    if all {
        TARGETS.iter().map(whole).collect()
    } else if !named.is_empty() {
        named.iter().map(|named| whole(named.0)).collect()
    } else {
        let usual = |target: &'static Target| match target.usual {
            Usual::Build => Some(whole(target)),
            Usual::Check => Some((target, Job::Check, Provider::Ring)),
            Usual::Nothing => None,
        };
        TARGETS.iter().filter_map(usual).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(named: &[Named], all: bool, expected: &[&str]) {
        let told = |(target, job, provider): Order| format!("{} {job:?} {provider:?}", target.name);
        assert_eq!(orders(named, all).into_iter().map(told).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_done_for_which() {
        check(
            &[],
            false,
            &[
                "linux-x86_64 Build AwsLc",
                "macos-aarch64 Check Ring",
                "freebsd-x86_64 Check Ring",
                "openbsd-x86_64 Check Ring",
                "netbsd-x86_64 Check Ring",
                "illumos-x86_64 Check Ring",
                "windows-x86_64 Check Ring",
            ],
        );
        check(
            &[],
            true,
            &[
                "linux-x86_64 Build AwsLc",
                "linux-aarch64 Build AwsLc",
                "macos-x86_64 Build AwsLc",
                "macos-aarch64 Build AwsLc",
                "freebsd-x86_64 Build AwsLc",
                "openbsd-x86_64 Check AwsLc",
                "netbsd-x86_64 Build AwsLc",
                "illumos-x86_64 Check Ring",
                "windows-x86_64 Build AwsLc",
            ],
        );
        let named = Named::from_str("illumos-x86_64", false).unwrap();
        check(&[named], false, &["illumos-x86_64 Check Ring"]);
        assert!(Named::from_str("linux-riscv64", false).is_err());
    }

    #[test]
    fn every_name_is_one_that_a_manifest_takes() {
        for target in &TARGETS {
            assert_eq!(target.name.parse::<vigo_core::AgentTarget>().unwrap().to_string(), target.name);
        }
    }
}
