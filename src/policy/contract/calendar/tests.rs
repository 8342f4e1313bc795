//! Tests of `calendar.rs`: what holds, and every refusal.

use crate::policy::calendar::{Clock, Day, Delta};
use crate::policy::testing::{Tree, b, call, everything, global, id, int, list, made, refuses, s};
use crate::policy::{Plan, Policy};

fn latin1(bytes: &[u8]) -> Tree {
    Tree::Str(bytes.iter().map(|b| char::from(*b)).collect())
}

fn day(bytes: [u8; 4]) -> Result<Plan, String> {
    call(Policy::std(), "datetime:date", &[b(&bytes)])
}

#[test]
fn test_dates_are_real_days() {
    assert_eq!(
        day([0x07, 0xe8, 2, 29]),
        Ok(Plan::Date(Day {
            year: 2024,
            month: 2,
            day: 29
        }))
    );
    for good in [[0, 1, 1, 1], [0x27, 0x0f, 12, 31], [0x07, 0xd0, 2, 29]] {
        assert!(day(good).is_ok(), "{good:?}");
    }
    for bad in [
        [0, 0, 1, 0],
        [0, 0, 1, 1],
        [0x27, 0x10, 1, 1],
        [0xff, 0xff, 1, 1],
        [7, 0xe8, 0, 1],
        [7, 0xe8, 13, 1],
        [7, 0xe8, 0x81, 1],
        [7, 0xe8, 1, 0],
        [7, 0xe8, 1, 32],
        [7, 0xe8, 4, 31],
        [7, 0xe7, 2, 29],
        [7, 0x6c, 2, 29], // 1900
    ] {
        assert!(day(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn test_a_state_may_be_the_str_of_a_python_2_pickle() {
    let p = everything();
    let bytes = [7, 0xe8, 12, 25];
    assert_eq!(
        call(&p, "datetime:date", &[latin1(&bytes)]),
        call(&p, "datetime:date", &[b(&bytes)])
    );
    let time = [23, 59, 59, 0x0f, 0x42, 0x3f];
    assert_eq!(
        call(&p, "datetime:time", &[latin1(&time)]),
        call(&p, "datetime:time", &[b(&time)])
    );
    refuses(
        &p,
        "datetime:date",
        &[
            vec![],
            vec![s("\u{107}\u{e8}\u{c}\u{19}")],
            vec![s("abc")],
            vec![s("abcde")],
            vec![b(&bytes), Tree::None],
            vec![b(&[])],
            vec![int(2024), int(1), int(1)],
            vec![Tree::ByteArray(bytes.to_vec())],
            vec![Tree::Surrogates],
            vec![list(&[int(7)])],
        ],
    );
}

#[test]
fn test_times_fold_and_range() {
    let p = everything();
    assert_eq!(
        call(&p, "datetime:time", &[b(&[0x82, 30, 0, 0, 0, 1])]),
        Ok(Plan::Time(
            Clock {
                hour: 2,
                minute: 30,
                second: 0,
                microsecond: 1,
                fold: true,
            },
            None
        ))
    );
    for bad in [
        [24, 0, 0, 0, 0, 0],
        [255, 0, 0, 0, 0, 0],
        [0, 60, 0, 0, 0, 0],
        [0, 0, 60, 0, 0, 0],
        [0, 0, 0, 0x0f, 0x42, 0x40],
        [0, 0, 0, 0xff, 0xff, 0xff],
    ] {
        refuses(&p, "datetime:time", &[vec![b(&bad)]]);
    }
}

#[test]
fn test_datetimes_with_zones() {
    let p = everything();
    let state = [7, 0xe8, 0x8a, 27, 2, 30, 0, 0, 0, 0];
    let day = Day {
        year: 2024,
        month: 10,
        day: 27,
    };
    let clock = Clock {
        hour: 2,
        minute: 30,
        second: 0,
        microsecond: 0,
        fold: true,
    };
    let expected = Plan::DateTime(day, clock, None);
    assert_eq!(call(&p, "datetime:datetime", &[b(&state)]), Ok(expected));
    for zone in ["datetime:timezone", "zoneinfo:ZoneInfo._unpickle"] {
        let plan = call(&p, "datetime:datetime", &[b(&state), made(&p, zone)]);
        assert!(
            matches!(plan, Ok(Plan::DateTime(_, _, Some(1)))),
            "{plan:?}"
        );
    }
    let mut wrong = state;
    wrong[4] = 0x80;
    refuses(
        &p,
        "datetime:datetime",
        &[
            vec![b(&wrong)],
            vec![b(&state), Tree::None],
            vec![b(&state), int(1)],
            vec![b(&state), Tree::External],
            vec![b(&state), made(&p, "datetime:date")],
            vec![b(&state), global(&p, "datetime:timezone")],
            vec![b(&state), made(&p, "datetime:timezone"), int(0)],
            vec![],
        ],
    );
    let own = Policy::std()
        .to_builder()
        .allow("app.zones", "Berlin")
        .unwrap()
        .build()
        .unwrap();
    assert!(
        call(
            &own,
            "datetime:datetime",
            &[b(&state), made(&own, "app.zones:Berlin")]
        )
        .is_ok()
    );
}

#[test]
fn test_timedeltas_are_normalised() {
    let p = everything();
    let path = "datetime:timedelta";
    assert_eq!(
        call(&p, path, &[int(-1), int(86_399), int(999_999)]),
        Ok(Plan::TimeDelta(Delta {
            days: -1,
            seconds: 86_399,
            microseconds: 999_999
        }))
    );
    for days in [-999_999_999, 999_999_999] {
        assert!(call(&p, path, &[int(days), int(0), int(0)]).is_ok());
    }
    refuses(
        &p,
        path,
        &[
            vec![],
            vec![int(1)],
            vec![int(1_000_000_000), int(0), int(0)],
            vec![int(i64::MIN), int(0), int(0)],
            vec![int(0), int(86_400), int(0)],
            vec![int(0), int(-1), int(0)],
            vec![int(0), int(0), int(1_000_000)],
            vec![Tree::Huge(90, false), int(0), int(0)],
            vec![Tree::Bool(true), int(0), int(0)],
            vec![Tree::Float(1.0), int(0), int(0)],
        ],
    );
}

#[test]
fn test_timezones_stay_within_a_day() {
    let p = everything();
    let path = "datetime:timezone";
    let delta = |fields| Tree::Delta(id(&p, "datetime:timedelta"), fields);
    for fields in [(0, 0, 0), (0, 86_399, 999_999), (-1, 0, 1), (-1, 82_800, 0)] {
        assert!(call(&p, path, &[delta(fields)]).is_ok(), "{fields:?}");
    }
    assert_eq!(
        call(&p, path, &[delta((0, 3600, 0)), s("CET")]),
        Ok(Plan::TimeZone {
            offset: Delta {
                days: 0,
                seconds: 3600,
                microseconds: 0,
            },
            name: Some(1)
        })
    );
    refuses(
        &p,
        path,
        &[
            vec![delta((1, 0, 0))],
            vec![delta((-1, 0, 0))],
            vec![delta((-2, 86_399, 0))],
            vec![delta((0, 0, 0)), Tree::None],
            vec![delta((0, 0, 0)), b(b"CET")],
            vec![int(0)],
            vec![made(&p, "datetime:date")],
            vec![],
        ],
    );
}

#[test]
fn test_zone_keys_name_zones_and_nothing_else() {
    let p = everything();
    let path = "zoneinfo:ZoneInfo._unpickle";
    for (key, flag) in [
        ("Europe/Berlin", int(1)),
        ("Etc/GMT+12", int(0)),
        ("America/Argentina/ComodRivadavia", Tree::Bool(true)),
        ("UTC", int(1)),
    ] {
        assert!(call(&p, path, &[s(key), flag]).is_ok(), "{key}");
    }
    for key in [
        "",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a//b",
        "a/",
        "a b",
        "a\0",
        "é",
        &"a".repeat(65),
    ] {
        refuses(&p, path, &[vec![s(key), int(1)]]);
    }
    refuses(
        &p,
        path,
        &[
            vec![s("UTC")],
            vec![s("UTC"), int(2)],
            vec![b(b"UTC"), int(1)],
        ],
    );
    refuses(&p, "zoneinfo:ZoneInfo", &[vec![s("UTC")]]);
}
