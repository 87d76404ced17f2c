//! Fuzzes [`vigo_fuzz::hostname_pattern`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| vigo_fuzz::hostname_pattern::check(data));
