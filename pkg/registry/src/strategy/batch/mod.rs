//! Kinds of `batch`: stored and checked; the controllers that act on them are other programs'.

mod cron_job;
mod generated;
mod indexes;
mod job;
mod policy;
mod schedule;
mod spec;
mod status;

pub(super) use cron_job::CronJob;
pub(super) use job::Job;
