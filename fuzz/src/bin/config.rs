//! Fuzzes [`vigo_fuzz::config`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| vigo_fuzz::config::check(data));
