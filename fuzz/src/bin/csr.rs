//! Fuzzes [`vigo_fuzz::csr`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| vigo_fuzz::csr::check(data));
