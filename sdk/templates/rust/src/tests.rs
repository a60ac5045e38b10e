//! Drives the processors by themselves, on the testkit: no cluster is needed.
use std::ffi::{c_void, CStr};
use std::os::raw::c_char;
use std::ptr;

use crate::gearpump::{RawMsg, Table};
use crate::{AVERAGE, READINGS};

#[link(name = "gp_testkit", kind = "static")]
extern "C" {
    fn gp_kit_new(table: *const Table, index: u32, parallelism: u32) -> *mut c_void;
    fn gp_kit_free(kit: *mut c_void);
    fn gp_kit_set(kit: *mut c_void, key: *const c_char, value: *const c_char) -> i32;
    fn gp_kit_open(kit: *mut c_void) -> i32;
    fn gp_kit_push_msg(kit: *mut c_void, port: u32, msg: *const RawMsg) -> i32;
    fn gp_kit_end(kit: *mut c_void) -> i32;
    fn gp_kit_run(kit: *mut c_void) -> i32;
    fn gp_kit_poll(kit: *mut c_void, budget: u32) -> i32;
    fn gp_kit_count(kit: *const c_void, port: u32) -> u32;
    fn gp_kit_row_is(kit: *const c_void, port: u32, i: u32, key: *const c_char, value: *const c_char) -> i32;
    fn gp_kit_rejects(kit: *const c_void) -> u32;
    fn gp_kit_failure(kit: *const c_void) -> *const c_char;
    fn gp_kit_state_new() -> *mut c_void;
    fn gp_kit_state_free(state: *mut c_void);
    fn gp_kit_snapshot(kit: *mut c_void, state: *mut c_void) -> i32;
    fn gp_kit_restore(kit: *mut c_void, state: *const c_void, first: u32, last: u32, with_task: u32) -> i32;
}

const KEY_GROUPS: u32 = 4096;

struct Kit(*mut c_void);

impl Kit {
    fn new(table: &'static Table, parameters: &[(&str, &str)]) -> Kit {
        let kit = Kit(unsafe { gp_kit_new(table, 0, 1) });
        for (key, value) in parameters {
            let (key, value) = (format!("{key}\0"), format!("{value}\0"));
            unsafe { gp_kit_set(kit.0, key.as_ptr().cast(), value.as_ptr().cast()) };
        }
        kit
    }

    fn opened(table: &'static Table) -> Kit {
        let kit = Kit::new(table, &[]);
        assert_eq!(unsafe { gp_kit_open(kit.0) }, 0);
        kit
    }

    fn push(&self, sensor: &str, value: &[u8]) {
        let msg = RawMsg {
            size: std::mem::size_of::<RawMsg>() as u32,
            flags: 1, // keyed
            time_ns: 0,
            key_hash: 0,
            key: sensor.as_ptr(),
            value: value.as_ptr(),
            key_len: sensor.len() as u32,
            value_len: value.len() as u32,
        };
        assert_eq!(unsafe { gp_kit_push_msg(self.0, 0, &msg) }, 0);
    }

    fn run(&self) {
        assert_eq!(unsafe { gp_kit_run(self.0) }, 0);
    }

    fn end(&self) {
        unsafe { gp_kit_end(self.0) };
        self.run();
    }

    fn sent(&self, line: &str) -> bool {
        let line = format!("{line}\0");
        (0..unsafe { gp_kit_count(self.0, 0) })
            .any(|i| unsafe { gp_kit_row_is(self.0, 0, i, ptr::null(), line.as_ptr().cast()) } != 0)
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        unsafe { gp_kit_free(self.0) }
    }
}

#[test]
fn averages_each_sensor() {
    let kit = Kit::opened(&AVERAGE);
    kit.push("kitchen", &20i64.to_le_bytes());
    kit.push("cellar", &12i64.to_le_bytes());
    kit.push("kitchen", &23i64.to_le_bytes());
    kit.end();
    assert!(kit.sent("kitchen 21.50 (2 readings)"));
    assert!(kit.sent("cellar 12.00 (1 readings)"));
}

#[test]
fn survives() {
    let state = unsafe { gp_kit_state_new() };
    let kit = Kit::opened(&AVERAGE);
    kit.push("kitchen", &20i64.to_le_bytes());
    kit.run();
    assert_eq!(unsafe { gp_kit_snapshot(kit.0, state) }, 0);

    let kit = Kit::opened(&AVERAGE);
    assert_eq!(unsafe { gp_kit_restore(kit.0, state, 0, KEY_GROUPS - 1, 1) }, 0);
    kit.push("kitchen", &23i64.to_le_bytes());
    kit.end();
    assert!(kit.sent("kitchen 21.50 (2 readings)"));
    unsafe { gp_kit_state_free(state) };
}

#[test]
fn rejects_junk() {
    let kit = Kit::opened(&AVERAGE);
    kit.push("kitchen", b"warm");
    kit.run();
    assert_eq!(unsafe { gp_kit_rejects(kit.0) }, 1);
}

#[test]
fn readings_end() {
    let kit = Kit::new(&READINGS, &[("count", "10")]);
    assert_eq!(unsafe { gp_kit_open(kit.0) }, 0);
    assert_eq!(unsafe { gp_kit_poll(kit.0, 6) }, 5);
    assert_eq!(unsafe { gp_kit_poll(kit.0, 6) }, 7);
    assert_eq!(unsafe { gp_kit_count(kit.0, 0) }, 10);
}

#[test]
fn a_bad_parameter_is_named() {
    let kit = Kit::new(&READINGS, &[("count", "many")]);
    assert_ne!(unsafe { gp_kit_open(kit.0) }, 0);
    let why = unsafe { CStr::from_ptr(gp_kit_failure(kit.0)) };
    assert_eq!(why.to_bytes(), b"parameter count is no number");
}
