//! Fuzzes [`vigo_fuzz::vgo`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| vigo_fuzz::vgo::check(data));
