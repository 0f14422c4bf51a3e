//! Kinds of `storage.k8s.io`, as data: who provides volumes reads them here.

mod csi_driver;
mod csi_node;
mod storage_class;

pub(super) use csi_driver::CsiDriver;
pub(super) use csi_node::CsiNode;
pub(super) use storage_class::StorageClass;
