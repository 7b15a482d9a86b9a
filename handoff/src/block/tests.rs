//! Tests of the assertions that guard blocks against misuse.

use super::*;

#[test]
#[should_panic(expected = "the permit belongs to another pool")]
fn read_by_another_exchange_panics() {
    let ((pool, _), (_others, permit)) = (BlockPool::new(8, 0), BlockPool::new(8, 0));
    pool.allocate().seal().view().bytes(&permit, 0, 0);
}

#[test]
#[should_panic(expected = "the permit belongs to another pool")]
fn recycling_by_another_exchange_panics() {
    let ((pool, _), (_others, mut permit)) = (BlockPool::new(8, 0), BlockPool::new(8, 0));
    pool.allocate().seal().recycle(&mut permit);
}

#[test]
#[should_panic(expected = "the permit belongs to another pool")]
fn sweep_by_another_exchange_panics() {
    let ((pool, _), (_others, mut permit)) = (BlockPool::new(8, 0), BlockPool::new(8, 0));
    pool.allocate().seal().view().mark_swept(&mut permit, 0);
}

/// Checks that a writer panics if it publishes more bytes than the block has space for. The
/// spare bytes at the end of the block (`MARGIN`) can be written to, but not published.
#[test]
#[should_panic(expected = "more bytes than the block has space for")]
fn publishing_beyond_the_block_panics() {
    let (pool, _) = BlockPool::new(8, 0);
    let mut writer = pool.allocate();
    writer.publish(8);
    writer.publish(1);
}

#[test]
#[should_panic(expected = "read beyond the published bytes")]
fn read_of_unpublished_bytes_panics() {
    let (pool, permit) = BlockPool::new(8, 0);
    let mut writer = pool.allocate();
    writer.publish(2);
    writer.seal().view().bytes(&permit, 0, 3);
}

#[test]
#[should_panic(expected = "read beyond the published bytes")]
fn read_of_a_reversed_range_panics() {
    let (pool, permit) = BlockPool::new(8, 0);
    let mut writer = pool.allocate();
    writer.publish(2);
    writer.seal().view().bytes(&permit, 2, 1);
}
