//! The plugin ABI of Gearpump in Rust: layouts as in the C headers, and a trait over them.
//!
//! A processor is a type with the trait [`Processor`]; [`processor`] and [`source`] make its table,
//! [`gp_app!`](crate::gp_app) the entry of the shared object. Panics do not cross the border: they fail the task.
//! What a call means and may do stands in `<gearpump/processor.h>`.
#![allow(dead_code)]

use std::ffi::{c_void, CStr};
use std::os::raw::c_char;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::{ptr, slice};

pub const ABI_MAJOR: u32 = 0;
pub const ABI_MINOR: u32 = 1;
pub const GROUP_NONE: u32 = 0xffff_ffff;
pub const SERVICE_TASK: &str = "gp.draft.task/1";

const ROW_KEYED: u32 = 1;
const MSG_KEYED: u32 = 1;
const KIND_PROCESSOR: u32 = 1;
const STATEFUL: u32 = 1;
const FAIL: i32 = 4;

// ---- the layouts of the C headers ----

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Text {
    ptr: *const u8,
    len: usize,
}

impl Text {
    pub fn of(bytes: &[u8]) -> Text {
        Text {
            ptr: bytes.as_ptr(),
            len: bytes.len(),
        }
    }

    fn get<'a>(self) -> Option<&'a [u8]> {
        if self.ptr.is_null() {
            return None;
        }
        // Sound: the host gives valid text with its length, for as long as its giver says.
        Some(unsafe { slice::from_raw_parts(self.ptr, self.len) })
    }
}

#[repr(C)]
pub struct RawRow {
    time_ns: i64,
    key_hash: u64,
    key: *const u8,
    value: *const u8,
    key_len: u32,
    value_len: u32,
    flags: u32,
    source: u32,
}

#[repr(C)]
pub struct RawBatch {
    size: u32,
    count: u32,
    stride: u32,
    reserved: u32,
    rows: *const u8,
}

#[repr(C)]
pub struct RawMsg {
    pub size: u32,
    pub flags: u32,
    pub time_ns: i64,
    pub key_hash: u64,
    pub key: *const u8,
    pub value: *const u8,
    pub key_len: u32,
    pub value_len: u32,
}

#[repr(C)]
pub struct RawOut {
    size: u32,
    full: u32,
    emit: unsafe extern "C" fn(*mut RawOut, u32, *const RawMsg) -> i32,
    reserve: *const c_void,
    commit: *const c_void,
    watermark: unsafe extern "C" fn(*mut RawOut, i64) -> i32,
    host: *mut c_void,
}

#[repr(C)]
struct RawConfig {
    size: u32,
    reserved: u32,
    get: unsafe extern "C" fn(*const RawConfig, *const c_char) -> Text,
    host: *const c_void,
}

#[repr(C)]
struct TaskService {
    size: u32,
    reserved: u32,
    log: unsafe extern "C" fn(*const RawTask, i32, Text),
    fail: unsafe extern "C" fn(*const RawTask, Text),
    now_ns: unsafe extern "C" fn(*const RawTask) -> i64,
    wall_ns: unsafe extern "C" fn(*const RawTask) -> i64,
    watermark_ns: unsafe extern "C" fn(*const RawTask) -> i64,
}

#[repr(C)]
pub struct RawTask {
    size: u32,
    index: u32,
    parallelism: u32,
    inputs: u32,
    outputs: u32,
    reserved: u32,
    app_id: u64,
    app_name: *const c_char,
    processor: *const c_char,
    host: *const c_void,
    config: *const RawConfig,
    service: *const TaskService,
    io: *const c_void,
}

#[repr(C)]
pub struct RawSnapshot {
    size: u32,
    reserved: u32,
    put: unsafe extern "C" fn(*mut RawSnapshot, u32, Text, Text) -> i32,
    host: *mut c_void,
}

#[repr(C)]
struct RawEntryView {
    size: u32,
    group: u32,
    name: Text,
    bytes: Text,
}

#[repr(C)]
pub struct RawRestore {
    size: u32,
    reserved: u32,
    next: unsafe extern "C" fn(*mut RawRestore, *mut RawEntryView) -> i32,
    host: *mut c_void,
}

/// `struct gp_processor`.
#[repr(C)]
pub struct Table {
    size: u32,
    kind: u32,
    type_name: *const c_char,
    flags: u32,
    reserved: u32,
    open: unsafe extern "C" fn(*const RawTask, *mut *mut c_void) -> i32,
    process: Option<unsafe extern "C" fn(*mut c_void, u32, *const RawBatch, *mut u32, *mut RawOut) -> i32>,
    poll: Option<unsafe extern "C" fn(*mut c_void, *mut RawOut, u32) -> i32>,
    on_watermark: Option<unsafe extern "C" fn(*mut c_void, i64, *mut RawOut) -> i32>,
    on_timer: *const c_void,
    on_message: *const c_void,
    on_end: Option<unsafe extern "C" fn(*mut c_void, *mut RawOut) -> i32>,
    close: unsafe extern "C" fn(*mut c_void, u32),
    snapshot: Option<unsafe extern "C" fn(*mut c_void, *mut RawSnapshot) -> i32>,
    restore: Option<unsafe extern "C" fn(*mut c_void, *mut RawRestore) -> i32>,
    prepare: *const c_void,
    commit: *const c_void,
    abort: *const c_void,
}
// Sound: tables are constant.
unsafe impl Sync for Table {}

// ---- what a processor sees ----

/// A task: valid until it is closed; only on its own thread.
#[derive(Clone, Copy)]
pub struct Task(*const RawTask);

impl Task {
    fn raw(&self) -> &RawTask {
        unsafe { &*self.0 }
    }

    fn service(&self) -> &TaskService {
        unsafe { &*self.raw().service }
    }

    pub fn index(&self) -> u32 {
        self.raw().index
    }

    pub fn parallelism(&self) -> u32 {
        self.raw().parallelism
    }

    /// A parameter.
    pub fn parameter(&self, key: &str) -> Option<&str> {
        parameter(self.raw().config, key)
    }

    /// A line of log.
    pub fn log(&self, line: &str) {
        unsafe { (self.service().log)(self.0, 1, Text::of(line.as_bytes())) }
    }

    /// The wall clock as of this call, nanoseconds since 1970.
    pub fn wall_ns(&self) -> i64 {
        unsafe { (self.service().wall_ns)(self.0) }
    }

    fn reason(&self, text: &str) {
        unsafe { (self.service().fail)(self.0, Text::of(text.as_bytes())) }
    }
}

fn parameter<'a>(config: *const RawConfig, key: &str) -> Option<&'a str> {
    let key = [key.as_bytes(), b"\0"].concat();
    let value = unsafe { ((*config).get)(config, key.as_ptr().cast()) };
    std::str::from_utf8(value.get()?).ok()
}

/// A message that came: borrowed until the call returns.
#[derive(Clone, Copy)]
pub struct Row<'a>(&'a RawRow);

impl<'a> Row<'a> {
    pub fn time_ns(&self) -> i64 {
        self.0.time_ns
    }

    pub fn key(&self) -> Option<&'a [u8]> {
        let key = Text {
            ptr: self.0.key,
            len: self.0.key_len as usize,
        };
        if self.0.flags & ROW_KEYED == 0 {
            None
        } else {
            Some(key.get().unwrap_or(b""))
        }
    }

    pub fn key_hash(&self) -> u64 {
        self.0.key_hash
    }

    pub fn value(&self) -> &'a [u8] {
        Text {
            ptr: self.0.value,
            len: self.0.value_len as usize,
        }
        .get()
        .unwrap_or(b"")
    }
}

/// The slice of the key space that a key is in: where its state belongs.
pub fn key_group(key_hash: u64) -> u32 {
    (key_hash >> 52) as u32
}

/// Why a call did not succeed.
pub enum Failure {
    /// The host knows why.
    Known,
    /// The task cannot go on.
    Because(String),
}

impl From<&str> for Failure {
    fn from(text: &str) -> Failure {
        Failure::Because(text.to_string())
    }
}

pub type Outcome<T> = Result<T, Failure>;

fn known(code: i32) -> Outcome<()> {
    if code == 0 {
        Ok(())
    } else {
        Err(Failure::Known)
    }
}

/// Where output goes. What is given is copied before the call returns.
pub struct Out<'a>(&'a mut RawOut);

impl Out<'_> {
    /// Finish the row at hand and return.
    pub fn is_full(&self) -> bool {
        unsafe { ptr::read_volatile(&self.0.full) != 0 }
    }

    pub fn emit(&mut self, time_ns: i64, value: &[u8]) -> Outcome<()> {
        self.emit_to(0, time_ns, None, value)
    }

    pub fn emit_keyed(&mut self, time_ns: i64, key: &[u8], value: &[u8]) -> Outcome<()> {
        self.emit_to(0, time_ns, Some(key), value)
    }

    pub fn emit_to(&mut self, port: u32, time_ns: i64, key: Option<&[u8]>, value: &[u8]) -> Outcome<()> {
        let bytes = key.unwrap_or(b"");
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| "a message is too large");
        let (key_len, value_len) = (len(bytes)?, len(value)?);
        let msg = RawMsg {
            size: size_of::<RawMsg>(),
            flags: if key.is_some() { MSG_KEYED } else { 0 },
            time_ns,
            key_hash: 0,
            key: bytes.as_ptr(),
            value: value.as_ptr(),
            key_len,
            value_len,
        };
        known(unsafe { (self.0.emit)(self.0, port, &msg) })
    }

    /// Nothing older will come from here.
    pub fn watermark(&mut self, time_ns: i64) -> Outcome<()> {
        known(unsafe { (self.0.watermark)(self.0, time_ns) })
    }
}

/// What a row came to.
pub enum Verdict {
    Done,
    /// To the dead letters, with the reason.
    Bad(&'static str),
}

/// What `poll` answers.
pub enum Poll {
    More,
    /// Nothing now.
    Idle,
    /// Nothing ever again.
    End,
}

/// What `on_end` answers.
pub enum End {
    Done,
    /// Outputs are full: call again.
    More,
}

/// Entries of state that a task gives to a checkpoint.
pub struct Snapshot<'a>(&'a mut RawSnapshot);

impl Snapshot<'_> {
    pub fn put(&mut self, group: u32, name: &[u8], bytes: &[u8]) -> Outcome<()> {
        known(unsafe { (self.0.put)(self.0, group, Text::of(name), Text::of(bytes)) })
    }
}

/// One of them, as it comes back.
pub struct Entry<'a> {
    pub group: u32,
    pub name: &'a [u8],
    pub bytes: &'a [u8],
}

pub trait Processor: Sized + 'static {
    /// The name of this kind of processor, unique in the object.
    const TYPE: &'static CStr;
    /// Whether it gives and takes state.
    const STATEFUL: bool = false;

    fn open(task: Task) -> Outcome<Self>;

    fn process(&mut self, _row: Row, _out: &mut Out) -> Outcome<Verdict> {
        Err("process() is missing".into())
    }

    fn poll(&mut self, _out: &mut Out, _budget: u32) -> Outcome<Poll> {
        Ok(Poll::End)
    }

    fn on_end(&mut self, _out: &mut Out) -> Outcome<End> {
        Ok(End::Done)
    }

    fn snapshot(&self, _snapshot: &mut Snapshot) -> Outcome<()> {
        Ok(())
    }

    fn restore(&mut self, _entry: Entry) -> Outcome<()> {
        Ok(())
    }
}

// ---- from C to the trait ----

const fn size_of<T>() -> u32 {
    std::mem::size_of::<T>() as u32
}

struct Instance<P> {
    task: Task,
    processor: P,
}

fn guarded(task: Task, call: impl FnOnce() -> Outcome<i32>) -> i32 {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(code)) => code,
        Ok(Err(Failure::Known)) => FAIL,
        Ok(Err(Failure::Because(text))) => {
            task.reason(&text);
            FAIL
        }
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|s| s.to_string());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            task.reason(&format!("panic: {}", text.unwrap_or_default()));
            FAIL
        }
    }
}

unsafe extern "C" fn open<P: Processor>(task: *const RawTask, ret_self: *mut *mut c_void) -> i32 {
    let task = Task(task);
    guarded(task, || {
        let instance = Box::new(Instance {
            task,
            processor: P::open(task)?,
        });
        unsafe { *ret_self = Box::into_raw(instance).cast() };
        Ok(0)
    })
}

unsafe fn instance<'a, P: Processor>(this: *mut c_void) -> &'a mut Instance<P> {
    unsafe { &mut *this.cast::<Instance<P>>() }
}

unsafe extern "C" fn close<P: Processor>(this: *mut c_void, _ended: u32) {
    let instance = unsafe { Box::from_raw(this.cast::<Instance<P>>()) };
    let task = instance.task;
    guarded(task, || {
        drop(instance);
        Ok(0)
    });
}

unsafe extern "C" fn process<P: Processor>(
    this: *mut c_void,
    _port: u32,
    batch: *const RawBatch,
    consumed: *mut u32,
    out: *mut RawOut,
) -> i32 {
    let (instance, batch, consumed) = unsafe { (instance::<P>(this), &*batch, &mut *consumed) };
    let mut out = Out(unsafe { &mut *out });
    guarded(instance.task, || {
        while *consumed < batch.count && !out.is_full() {
            let at = *consumed as usize * batch.stride as usize;
            let row = Row(unsafe { &*batch.rows.add(at).cast::<RawRow>() });
            if let Verdict::Bad(reason) = instance.processor.process(row, &mut out)? {
                instance.task.reason(reason);
                return Ok(3);
            }
            *consumed += 1;
        }
        Ok(0)
    })
}

unsafe extern "C" fn poll<P: Processor>(this: *mut c_void, out: *mut RawOut, budget: u32) -> i32 {
    let instance = unsafe { instance::<P>(this) };
    let mut out = Out(unsafe { &mut *out });
    guarded(instance.task, || {
        Ok(match instance.processor.poll(&mut out, budget)? {
            Poll::More => 5,
            Poll::Idle => 6,
            Poll::End => 7,
        })
    })
}

unsafe extern "C" fn on_end<P: Processor>(this: *mut c_void, out: *mut RawOut) -> i32 {
    let instance = unsafe { instance::<P>(this) };
    let mut out = Out(unsafe { &mut *out });
    guarded(instance.task, || {
        Ok(match instance.processor.on_end(&mut out)? {
            End::Done => 0,
            End::More => 1,
        })
    })
}

unsafe extern "C" fn snapshot<P: Processor>(this: *mut c_void, to: *mut RawSnapshot) -> i32 {
    let instance = unsafe { instance::<P>(this) };
    let mut snapshot = Snapshot(unsafe { &mut *to });
    guarded(instance.task, || {
        instance.processor.snapshot(&mut snapshot).map(|()| 0)
    })
}

unsafe extern "C" fn restore<P: Processor>(this: *mut c_void, from: *mut RawRestore) -> i32 {
    let instance = unsafe { instance::<P>(this) };
    guarded(instance.task, || loop {
        let nothing = Text {
            ptr: ptr::null(),
            len: 0,
        };
        let mut view = RawEntryView {
            size: size_of::<RawEntryView>(),
            group: 0,
            name: nothing,
            bytes: nothing,
        };
        match unsafe { ((*from).next)(from, &mut view) } {
            0 => return Ok(0),
            n if n < 0 => return Err(Failure::Known),
            _ => instance.processor.restore(Entry {
                group: view.group,
                name: view.name.get().unwrap_or(b""),
                bytes: view.bytes.get().unwrap_or(b""),
            })?,
        }
    })
}

const fn table<P: Processor>() -> Table {
    Table {
        size: size_of::<Table>(),
        kind: KIND_PROCESSOR,
        type_name: P::TYPE.as_ptr(),
        flags: if P::STATEFUL { STATEFUL } else { 0 },
        reserved: 0,
        open: open::<P>,
        process: None,
        poll: None,
        on_watermark: None,
        on_timer: ptr::null(),
        on_message: ptr::null(),
        on_end: None,
        close: close::<P>,
        snapshot: if P::STATEFUL { Some(snapshot::<P>) } else { None },
        restore: if P::STATEFUL { Some(restore::<P>) } else { None },
        prepare: ptr::null(),
        commit: ptr::null(),
        abort: ptr::null(),
    }
}

/// The table of a processor that takes rows.
pub const fn processor<P: Processor>() -> Table {
    let mut t = table::<P>();
    t.process = Some(process::<P>);
    t.on_end = Some(on_end::<P>);
    t
}

/// The table of a processor that makes rows.
pub const fn source<P: Processor>() -> Table {
    let mut t = table::<P>();
    t.poll = Some(poll::<P>);
    t
}

// ---- the graph ----

#[repr(C)]
struct ProcessorSpec {
    size: u32,
    parallelism: u32,
    name: *const c_char,
    table: *const Table,
    plugin: *const c_char,
    type_name: *const c_char,
}

#[repr(C)]
struct EdgeSpec {
    size: u32,
    from: u32,
    from_port: u32,
    to: u32,
    to_port: u32,
    reserved: u32,
    partitioner: *const c_char,
}

#[repr(C)]
struct GraphService {
    size: u32,
    reserved: u32,
    add: unsafe extern "C" fn(*mut c_void, *const ProcessorSpec) -> u32,
    set: unsafe extern "C" fn(*mut c_void, u32, *const c_char, *const c_char),
    connect: unsafe extern "C" fn(*mut c_void, *const EdgeSpec),
    mistake: unsafe extern "C" fn(*mut c_void, *const c_char),
}

#[repr(C)]
pub struct RawBuild {
    size: u32,
    reserved: u32,
    graph: *mut c_void,
    service: *const GraphService,
    config: *const RawConfig,
    host: *const c_void,
}

#[derive(Clone, Copy)]
pub struct Node(u32);

/// The graph being described. Mistakes are collected and reported together after `build`.
pub struct Graph<'a>(&'a RawBuild);

fn c_text(text: &str) -> Vec<u8> {
    [text.as_bytes(), b"\0"].concat()
}

impl Graph<'_> {
    /// A parameter of the job.
    pub fn parameter(&self, key: &str) -> Option<&str> {
        parameter(self.0.config, key)
    }

    /// A processor of this object.
    pub fn add(&self, name: &str, table: &'static Table, parallelism: u32) -> Node {
        self.add_spec(name, table, None, parallelism)
    }

    /// A processor of another plugin: `add_plugin("lines", "file", "source", 1)`.
    pub fn add_plugin(&self, name: &str, plugin: &str, type_name: &str, parallelism: u32) -> Node {
        self.add_spec(name, ptr::null(), Some((plugin, type_name)), parallelism)
    }

    fn add_spec(
        &self,
        name: &str,
        table: *const Table,
        plugin: Option<(&str, &str)>,
        parallelism: u32,
    ) -> Node {
        let name = c_text(name);
        let plugin = plugin.map(|(plugin, type_name)| (c_text(plugin), c_text(type_name)));
        let (plugin, type_name) = plugin
            .as_ref()
            .map_or((ptr::null(), ptr::null()), |(p, t)| (p.as_ptr(), t.as_ptr()));
        let spec = ProcessorSpec {
            size: size_of::<ProcessorSpec>(),
            parallelism,
            name: name.as_ptr().cast(),
            table,
            plugin: plugin.cast(),
            type_name: type_name.cast(),
        };
        Node(unsafe { ((*self.0.service).add)(self.0.graph, &spec) })
    }

    /// A parameter of a processor.
    pub fn set(&self, node: Node, key: &str, value: &str) {
        let (key, value) = (c_text(key), c_text(value));
        unsafe { ((*self.0.service).set)(self.0.graph, node.0, key.as_ptr().cast(), value.as_ptr().cast()) }
    }

    /// partitioner: hash, shuffle, round_robin, broadcast, forward, local.
    pub fn connect(&self, from: Node, to: Node, partitioner: &str) {
        let partitioner = c_text(partitioner);
        let spec = EdgeSpec {
            size: size_of::<EdgeSpec>(),
            from: from.0,
            from_port: 0,
            to: to.0,
            to_port: 0,
            reserved: 0,
            partitioner: partitioner.as_ptr().cast(),
        };
        unsafe { ((*self.0.service).connect)(self.0.graph, &spec) }
    }

    /// A mistake of the job's own, as a missing parameter.
    pub fn mistake(&self, text: &str) {
        let text = c_text(text);
        unsafe { ((*self.0.service).mistake)(self.0.graph, text.as_ptr().cast()) }
    }
}

/// Calls a build function for [`gp_app!`](crate::gp_app).
///
/// # Safety
/// `build` is what the host gave.
pub unsafe fn build_with(build: *const RawBuild, describe: fn(&Graph)) -> i32 {
    let graph = Graph(unsafe { &*build });
    if catch_unwind(AssertUnwindSafe(|| describe(&graph))).is_err() {
        graph.mistake("build panicked");
        return FAIL;
    }
    0
}

// ---- the entry of the object ----

#[repr(C)]
pub struct App {
    pub size: u32,
    pub reserved: u32,
    pub build: unsafe extern "C" fn(*const RawBuild) -> i32,
}

#[repr(C)]
pub struct Catalog<const N: usize> {
    pub size: u32,
    pub count: u32,
    pub tables: &'static [&'static Table; N],
}

#[repr(C)]
pub struct EntryPoint {
    pub size: u32,
    pub magic: u32,
    pub abi_major: u32,
    pub abi_minor: u32,
    pub name: *const c_char,
    pub version: *const c_char,
    pub init: *const c_void,
    pub deinit: *const c_void,
    pub get_factory: unsafe extern "C" fn(*const c_char) -> *const c_void,
}
// Sound: it is constant.
unsafe impl Sync for EntryPoint {}

#[repr(C, align(4))]
pub struct Note {
    owner_size: u32,
    desc_size: u32,
    kind: u32,
    owner: [u8; 12],
    abi_major: u32,
    abi_minor: u32,
    flags: u32,
    reserved: u32,
    name: [u8; 64],
    version: [u8; 32],
    services: [u8; 144],
}

const fn padded<const N: usize>(text: &str) -> [u8; N] {
    let bytes = text.as_bytes();
    let mut out = [0; N];
    let mut i = 0;
    while i < bytes.len() {
        out[i] = bytes[i];
        i += 1;
    }
    out
}

impl Note {
    pub const fn of_app(name: &str, version: &str) -> Note {
        Note {
            owner_size: 9,
            desc_size: 256,
            kind: 1,
            owner: padded("Gearpump"),
            abi_major: ABI_MAJOR,
            abi_minor: ABI_MINOR,
            flags: 1,
            reserved: 0,
            name: padded(name),
            version: padded(version),
            services: padded(SERVICE_TASK),
        }
    }
}

/// `gp_app!("name", "version", build, &TABLE, ...)`: makes this object an application.
#[macro_export]
macro_rules! gp_app {
    ($name:literal, $version:literal, $build:path, $($table:expr),+ $(,)?) => {
        const TABLES: &[&'static $crate::gearpump::Table] = &[$($table),+];
        static TABLE_LIST: [&'static $crate::gearpump::Table; TABLES.len()] = [$($table),+];
        static CATALOG: $crate::gearpump::Catalog<{ TABLES.len() }> = $crate::gearpump::Catalog {
            size: std::mem::size_of::<$crate::gearpump::Catalog<1>>() as u32,
            count: TABLES.len() as u32,
            tables: &TABLE_LIST,
        };
        static APP: $crate::gearpump::App = $crate::gearpump::App {
            size: std::mem::size_of::<$crate::gearpump::App>() as u32,
            reserved: 0,
            build: app_build,
        };

        unsafe extern "C" fn app_build(build: *const $crate::gearpump::RawBuild) -> i32 {
            unsafe { $crate::gearpump::build_with(build, $build) }
        }

        unsafe extern "C" fn app_factory(id: *const std::os::raw::c_char) -> *const std::ffi::c_void {
            match unsafe { std::ffi::CStr::from_ptr(id) }.to_bytes() {
                b"gp.draft.catalog/1" => &CATALOG as *const _ as *const std::ffi::c_void,
                b"gp.draft.app/1" => &APP as *const _ as *const std::ffi::c_void,
                _ => std::ptr::null(),
            }
        }

        #[no_mangle]
        #[allow(non_upper_case_globals)]
        pub static gp_entry: $crate::gearpump::EntryPoint = $crate::gearpump::EntryPoint {
            size: std::mem::size_of::<$crate::gearpump::EntryPoint>() as u32,
            magic: 0x3150_5047,
            abi_major: $crate::gearpump::ABI_MAJOR,
            abi_minor: $crate::gearpump::ABI_MINOR,
            name: concat!($name, "\0").as_ptr().cast(),
            version: concat!($version, "\0").as_ptr().cast(),
            init: std::ptr::null(),
            deinit: std::ptr::null(),
            get_factory: app_factory,
        };

        #[used]
        #[link_section = ".note.gearpump"]
        static NOTE: $crate::gearpump::Note = $crate::gearpump::Note::of_app($name, $version);
    };
}
