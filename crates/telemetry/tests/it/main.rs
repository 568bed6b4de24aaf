//! Lines through memory and engine.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::sync::Arc;
use std::time::Duration;

use base::{Time, VirtualClock};
use engine_memory::Memory;
use store::{Dir, Engine};
use telemetry::{
    Config, Figures, FunctionName, GroupName, LogLine, LogSink as _, LogStore, Measure,
    MetricSink as _, Query, StreamName, Streams,
};

const START: u64 = 1_700_000_000_000;

struct World {
    logs: LogStore,
    engine: Arc<dyn Engine>,
    clock: Arc<VirtualClock>,
    group: GroupName,
}

impl World {
    async fn new(config: Config) -> World {
        let clock = Arc::new(VirtualClock::new(Time::from_millis(START)));
        World::on(Arc::new(Memory::new()), clock, config).await
    }

    async fn on(engine: Arc<dyn Engine>, clock: Arc<VirtualClock>, config: Config) -> World {
        let logs = LogStore::open(engine.clone(), clock.clone(), config).await.unwrap();
        World { logs, engine, clock, group: group_name("g") }
    }

    fn write(&self, stream: &str, text: impl Into<String>) {
        let time = base::Clock::now(&*self.clock);
        let to = Arc::new(stream_name("g", stream));
        self.logs.write(LogLine { to, time, request_id: Some("r".into()), text: text.into() });
        self.clock.advance(Duration::from_millis(1));
    }

    async fn read<'a>(&'a self, change: impl FnOnce(&mut Query<'a>)) -> (Vec<String>, Option<u64>) {
        let mut query = Query {
            group: &self.group,
            streams: Streams::All,
            from: None,
            until: None,
            wanted: &|_| true,
            dir: Dir::Forward,
            position: None,
            limit: 10_000,
        };
        change(&mut query);
        let page = self.logs.read(&query).await.unwrap();
        (page.lines.into_iter().map(|line| line.text).collect(), page.next)
    }

    async fn all(&self) -> Vec<String> {
        self.read(|_| {}).await.0
    }
}

fn group_name(name: &str) -> GroupName {
    let (account, region) = ("000000000000".parse().unwrap(), "us-east-1".parse().unwrap());
    GroupName { account, region, name: name.into() }
}

fn stream_name(group: &str, name: &str) -> StreamName {
    StreamName { group: group_name(group), name: name.into() }
}

fn texts(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|i| i.to_string()).collect()
}

#[tokio::test]
async fn a_line_is_readable_at_once_and_after_it_was_stored() {
    let world = World::new(Config::default()).await;
    for i in 0..30 {
        world.write("s", i.to_string());
        if i % 7 == 0 {
            world.logs.flush().await.unwrap();
        }
        assert_eq!(world.all().await, texts(0..i + 1));
    }
    world.logs.flush().await.unwrap();
    let backward = world.read(|query| query.dir = Dir::Backward).await.0;
    assert_eq!(backward.into_iter().rev().collect::<Vec<_>>(), texts(0..30));
}

#[tokio::test]
async fn pages_join_up_in_both_directions_wherever_they_are_cut() {
    let world = World::new(Config::default()).await;
    for i in 0..20 {
        world.write("s", i.to_string());
        if [4, 5, 11].contains(&i) {
            world.logs.flush().await.unwrap();
        }
    }
    for (dir, limit) in
        [Dir::Forward, Dir::Backward].into_iter().flat_map(|dir| [1, 3, 7].map(|l| (dir, l)))
    {
        let (mut found, mut position) = (Vec::new(), None);
        loop {
            let (lines, next) = world
                .read(|query| (query.dir, query.limit, query.position) = (dir, limit, position))
                .await;
            assert!(lines.len() <= limit);
            found.extend(lines);
            position = next;
            if position.is_none() {
                break;
            }
        }
        if dir == Dir::Backward {
            found.reverse();
        }
        assert_eq!(found, texts(0..20), "{dir:?} by {limit}");
    }
}

#[tokio::test]
async fn only_what_is_asked_for_is_found() {
    let names = ["odd".to_owned()];
    let world = World::new(Config::default()).await;
    for i in 0..10 {
        world.write(if i % 2 == 0 { "even" } else { "odd" }, i.to_string());
        if i == 6 {
            world.logs.flush().await.unwrap();
        }
    }
    let odd = world.read(|query| query.streams = Streams::Named(&names)).await.0;
    assert_eq!(odd, ["1", "3", "5", "7", "9"]);
    let even = world.read(|query| query.streams = Streams::Prefix("ev")).await.0;
    assert_eq!(even, ["0", "2", "4", "6", "8"]);
    let span = |query: &mut Query<'_>| {
        query.from = Some(Time::from_millis(START + 3));
        query.until = Some(Time::from_millis(START + 8));
    };
    assert_eq!(world.read(span).await.0, texts(3..9));
    let words = world.read(|query| query.wanted = &|text| text == "3" || text == "8").await.0;
    assert_eq!(words, ["3", "8"]);
}

#[tokio::test]
async fn groups_and_streams_are_known_from_their_first_line_on() {
    let world = World::new(Config::default()).await;
    assert_eq!(world.logs.group(&group_name("g")).await.unwrap(), None);
    world.write("a", "1");
    for stored in [false, true] {
        if stored {
            world.logs.flush().await.unwrap();
            world.write("a", "2");
        }
        let GroupName { account, region, .. } = group_name("g");
        let groups = world.logs.groups(&account, &region, "g", None, 50).await.unwrap();
        assert_eq!(groups[0].0, "g");
        assert_eq!(groups[0].1.created, Time::from_millis(START));
        let after = world.logs.groups(&account, &region, "", Some("g"), 50).await.unwrap();
        assert_eq!(after, []);
        let stream = world.logs.stream(&stream_name("g", "a")).await.unwrap().unwrap();
        let last = Time::from_millis(START + u64::from(stored));
        assert_eq!(stream.lines, Some((Time::from_millis(START), last)));
        let streams = world.logs.streams(&group_name("g"), "").await.unwrap();
        assert_eq!(streams.into_iter().collect::<Vec<_>>(), [("a".to_owned(), stream)]);
    }
    assert!(!world.logs.create_group(&group_name("g")).await.unwrap());
    assert!(world.logs.create_group(&group_name("h")).await.unwrap());
    assert!(world.logs.create_stream(&stream_name("h", "s")).await.unwrap());
    assert!(!world.logs.create_stream(&stream_name("h", "s")).await.unwrap());
}

#[tokio::test]
async fn a_deleted_group_is_gone_with_its_lines() {
    let world = World::new(Config::default()).await;
    world.write("s", "stored");
    world.logs.flush().await.unwrap();
    world.write("s", "fresh");
    assert!(world.logs.delete_group(&group_name("g")).await.unwrap());
    assert!(!world.logs.delete_group(&group_name("g")).await.unwrap());
    assert_eq!(world.all().await, [] as [&str; 0]);
    assert_eq!(world.logs.stream(&stream_name("g", "s")).await.unwrap(), None);
    world.write("s", "again");
    world.logs.flush().await.unwrap();
    assert_eq!(world.all().await, ["again"]);
    assert!(world.logs.stream(&stream_name("g", "s")).await.unwrap().is_some());
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    let world = World::new(Config::default()).await;
    world.write("s", "before");
    world.logs.flush().await.unwrap();
    let World { engine, clock, .. } = world;
    let world = World::on(engine, clock, Config::default()).await;
    world.write("s", "after");
    assert_eq!(world.all().await, ["before", "after"]);
}

#[tokio::test]
async fn the_oldest_lines_make_room() {
    let by_size = Config { bytes_max: 1_000, ..Config::default() };
    let world = World::new(by_size).await;
    for i in 0..50 {
        world.write("s", i.to_string());
        world.logs.flush().await.unwrap();
    }
    let left = world.all().await;
    assert!((5..50).contains(&left.len()), "{left:?}");
    assert_eq!(left.last().unwrap(), "49");

    let by_age = Config { age_max: Duration::from_secs(60), ..Config::default() };
    let world = World::new(by_age).await;
    world.write("s", "old");
    world.logs.flush().await.unwrap();
    world.clock.advance(Duration::from_secs(61));
    world.write("s", "young");
    world.logs.flush().await.unwrap();
    assert_eq!(world.all().await, ["young"]);
}

#[tokio::test]
async fn a_flood_is_cut_off_and_says_so() {
    let world = World::new(Config::default()).await;
    for _ in 0..60 {
        world.write("s", "x".repeat(100_000));
    }
    world.logs.flush().await.unwrap();
    world.write("s", "after");
    let (mut lines, next) = world.read(|query| query.dir = Dir::Backward).await;
    assert!(next.is_some(), "a page has a size");
    lines.truncate(2);
    assert_eq!(lines, ["after", "18 lines are missing here: they came faster than is stored"]);
}

#[tokio::test]
async fn large_lines_that_do_not_compress_are_kept_whole() {
    let world = World::new(Config::default()).await;
    let random = base::SeededRandom::new(7);
    let lines: Vec<String> = (0..4).map(|_| base::hex(&random, 120_000)).collect();
    for line in &lines {
        world.write("s", line);
    }
    world.logs.flush().await.unwrap();
    assert_eq!(world.all().await, lines);
    let backward = world.read(|query| query.dir = Dir::Backward).await.0;
    assert_eq!(backward.into_iter().rev().collect::<Vec<_>>(), lines);
}

#[tokio::test]
async fn a_subscriber_hears_every_line() {
    let world = World::new(Config::default()).await;
    world.write("s", "nobody listens");
    let mut live = world.logs.subscribe();
    world.write("s", "heard");
    assert_eq!(live.recv().await.unwrap().text, "heard");
}

fn function(name: &str) -> Arc<FunctionName> {
    let (account, region) = ("000000000000".parse().unwrap(), "us-east-1".parse().unwrap());
    Arc::new(FunctionName { account, region, name: name.into() })
}

async fn sums(world: &World, minutes: u64) -> Vec<(String, u64, f64)> {
    let now = base::Clock::now(&*world.clock);
    let from = now - Duration::from_secs(60 * minutes);
    let found = world.logs.figures(from, now).await.unwrap();
    let sum = |figures: &Figures| figures.get(Measure::Duration).unwrap().sum;
    let start = Time::from_millis(START);
    let minute = |time: Time| (time.as_millis() + 60_000 - start.as_millis()) / 60_000;
    found.iter().map(|(of, time, figures)| (of.name.clone(), minute(*time), sum(figures))).collect()
}

/// What is in memory and what is stored of a minute are one, also after a restart.
#[tokio::test]
async fn figures_of_a_minute_add_up() {
    let world = World::new(Config::default()).await;
    let (pay, ship) = (function("pay"), function("ship"));
    world.logs.record(&pay, &[(Measure::Duration, 1.0)]);
    world.logs.record(&ship, &[(Measure::Duration, 8.0)]);
    world.logs.flush().await.unwrap();
    world.logs.record(&pay, &[(Measure::Duration, 2.0)]);
    world.logs.close().await.unwrap();

    let world = World::on(world.engine.clone(), world.clock.clone(), Config::default()).await;
    world.logs.record(&pay, &[(Measure::Duration, 4.0)]);
    assert_eq!(sums(&world, 1).await, [("pay".into(), 0, 7.0), ("ship".into(), 0, 8.0)]);
    world.clock.advance(Duration::from_secs(120));
    world.logs.record(&pay, &[(Measure::Duration, 16.0)]);
    assert_eq!(sums(&world, 1).await, [("pay".into(), 2, 16.0)]);
    assert_eq!(sums(&world, 5).await.len(), 3);
}

/// They are kept as long as lines are.
#[tokio::test]
async fn old_figures_are_forgotten() {
    let config = Config { age_max: Duration::from_secs(3600), ..Config::default() };
    let world = World::new(config).await;
    world.logs.record(&function("pay"), &[(Measure::Duration, 1.0)]);
    world.logs.flush().await.unwrap();
    assert_eq!(sums(&world, 200).await.len(), 1);
    world.clock.advance(Duration::from_secs(2 * 3600));
    // The rhythm of the store forgets; once it has come by, there is nothing.
    while !sums(&world, 200).await.is_empty() {
        world.clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
}
