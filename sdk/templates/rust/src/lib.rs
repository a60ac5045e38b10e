//! @name@: readings of sensors -> average of each sensor -> the log.
//!
//! Parameters: count, the readings to send (100000). Tasks can move to other workers while the job
//! runs, for they give away their state (snapshot) and take it back (restore).

mod gearpump;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ffi::CStr;

use gearpump::{End, Entry, Graph, Out, Outcome, Poll, Processor, Row, Snapshot, Table, Task, Verdict};

const SENSORS: u64 = 8;

const fn c(text: &'static [u8]) -> &'static CStr {
    // Sound: the literals below end with the one zero they have.
    unsafe { CStr::from_bytes_with_nul_unchecked(text) }
}

/// A source: how many readings to send, and how many were, where a restored task goes on.
struct Readings {
    count: u64,
    sent: u64,
}

impl Processor for Readings {
    const TYPE: &'static CStr = c(b"readings\0");
    const STATEFUL: bool = true;

    fn open(task: Task) -> Outcome<Readings> {
        let count = task.parameter("count").unwrap_or("100000");
        let count = count.parse().map_err(|_| "parameter count is no number")?;
        Ok(Readings { count, sent: 0 })
    }

    fn poll(&mut self, out: &mut Out, budget: u32) -> Outcome<Poll> {
        for _ in 0..budget {
            if self.sent == self.count || out.is_full() {
                break;
            }
            let sensor = format!("sensor-{}", self.sent % SENSORS);
            let value = (self.sent / SENSORS % 100) as i64;
            out.emit_keyed(self.sent as i64, sensor.as_bytes(), &value.to_le_bytes())?;
            self.sent += 1;
        }
        Ok(if self.sent == self.count {
            Poll::End
        } else {
            Poll::More
        })
    }

    fn snapshot(&self, snapshot: &mut Snapshot) -> Outcome<()> {
        snapshot.put(gearpump::GROUP_NONE, b"sent", &self.sent.to_le_bytes())
    }

    fn restore(&mut self, entry: Entry) -> Outcome<()> {
        let bytes = entry
            .bytes
            .try_into()
            .map_err(|_| "the saved position is damaged")?;
        self.sent = u64::from_le_bytes(bytes);
        Ok(())
    }
}

#[derive(Default)]
struct Sums {
    hash: u64,
    count: u64,
    sum: i64,
}

/// Behind a hash edge, so that one task sees all readings of a sensor.
struct Average {
    sensors: HashMap<Vec<u8>, Sums>,
    lines: Option<Vec<String>>, // at the end: what is not sent yet
}

impl Average {
    fn report(&self) -> Vec<String> {
        let line = |(name, s): (&Vec<u8>, &Sums)| {
            let average = s.sum as f64 / s.count as f64;
            format!(
                "{} {:.2} ({} readings)",
                String::from_utf8_lossy(name),
                average,
                s.count
            )
        };
        self.sensors.iter().map(line).collect()
    }
}

impl Processor for Average {
    const TYPE: &'static CStr = c(b"average\0");
    const STATEFUL: bool = true;

    fn open(_task: Task) -> Outcome<Average> {
        Ok(Average {
            sensors: HashMap::new(),
            lines: None,
        })
    }

    fn process(&mut self, row: Row, _out: &mut Out) -> Outcome<Verdict> {
        let (sensor, value) = match (row.key(), row.value().try_into()) {
            (Some(sensor), Ok(value)) => (sensor, value),
            _ => return Ok(Verdict::Bad("a reading is 8 bytes, with its sensor as the key")),
        };
        let s = self.sensors.entry(sensor.to_vec()).or_default();
        s.hash = row.key_hash();
        s.count += 1;
        s.sum += i64::from_le_bytes(value);
        Ok(Verdict::Done)
    }

    fn on_end(&mut self, out: &mut Out) -> Outcome<End> {
        let mut lines = self.lines.take().unwrap_or_else(|| self.report());
        while let Some(line) = lines.last() {
            if out.is_full() {
                self.lines = Some(lines);
                return Ok(End::More);
            }
            out.emit(0, line.as_bytes())?;
            lines.pop();
        }
        Ok(End::Done)
    }

    fn snapshot(&self, snapshot: &mut Snapshot) -> Outcome<()> {
        for (name, s) in &self.sensors {
            let bytes = [s.hash.to_le_bytes(), s.count.to_le_bytes(), s.sum.to_le_bytes()].concat();
            snapshot.put(gearpump::key_group(s.hash), name, &bytes)?;
        }
        Ok(())
    }

    fn restore(&mut self, entry: Entry) -> Outcome<()> {
        if entry.bytes.len() != 24 {
            return Err("a saved sensor is damaged".into());
        }
        let number = |i: usize| u64::from_le_bytes(entry.bytes[i * 8..i * 8 + 8].try_into().unwrap());
        let sums = Sums {
            hash: number(0),
            count: number(1),
            sum: number(2) as i64,
        };
        self.sensors.insert(entry.name.to_vec(), sums);
        Ok(())
    }
}

struct Report {
    task: Task,
}

impl Processor for Report {
    const TYPE: &'static CStr = c(b"report\0");

    fn open(task: Task) -> Outcome<Report> {
        Ok(Report { task })
    }

    fn process(&mut self, row: Row, _out: &mut Out) -> Outcome<Verdict> {
        self.task.log(&String::from_utf8_lossy(row.value()));
        Ok(Verdict::Done)
    }
}

static READINGS: Table = gearpump::source::<Readings>();
static AVERAGE: Table = gearpump::processor::<Average>();
static REPORT: Table = gearpump::processor::<Report>();

fn build(graph: &Graph) {
    let from = graph.add("readings", &READINGS, 1);
    let averages = graph.add("average", &AVERAGE, 2);
    let to = graph.add("report", &REPORT, 1);

    graph.set(from, "count", graph.parameter("count").unwrap_or("100000"));
    graph.connect(from, averages, "hash");
    graph.connect(averages, to, "shuffle");
}

gp_app!("@name@", "0.1.0", build, &READINGS, &AVERAGE, &REPORT);
