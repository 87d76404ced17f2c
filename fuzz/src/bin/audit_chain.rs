//! Fuzzes [`vigo_fuzz::audit_chain`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| vigo_fuzz::audit_chain::check(data));
