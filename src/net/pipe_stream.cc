// SPDX-License-Identifier: Apache-2.0
#include "net/pipe_stream.h"

#include "base/check.h"

namespace leat::net {

PipeStreams::~PipeStreams() {
  while (PipeStream* stream = all_.pop_front()) pool_.destroy(stream);
}

PipeStreams::Pair PipeStreams::connect(StreamUser& client_user, StreamUser& server_user) {
  PipeStream* client = pool_.create(*this);
  PipeStream* server = pool_.create(*this);
  all_.push_back(*client);
  all_.push_back(*server);
  client->other_ = server;
  server->other_ = client;
  client->set_user(client_user);
  server->set_user(server_user);
  client->open_pending_ = true;
  shard_.defer(*client);
  return {client, server};
}

char* PipeStream::prepare(std::size_t size) {
  owner_.prepared_ = owner_.shard_.arena().allocate(size);
  owner_.prepared_bytes_ = size;
  return owner_.prepared_;
}

void PipeStream::commit(std::size_t size) {
  shard::TurnArena& arena = owner_.shard_.arena();
  arena.trim(owner_.prepared_bytes_ - size);
  if (closed_ || size == 0) return;
  segments_.append(arena, owner_.prepared_, size, nullptr);
  owner_.shard_.mark_dirty(*this);
}

void PipeStream::write_block(Block& block, std::size_t offset, std::size_t size) {
  if (closed_ || size == 0) return;
  segments_.append(owner_.shard_.arena(), block.data() + offset, size, &block);
  owner_.shard_.mark_dirty(*this);
}

void PipeStream::receive_block(BlockRef, std::size_t, std::size_t) {
  LEAT_UNREACHABLE("a pipe does not receive into blocks");
}

std::size_t PipeStream::backlog_bytes() const {
  return other_ != nullptr ? other_->held_.bytes() : 0;
}

void PipeStream::flush() {
  const SegmentList segments = segments_;
  segments_.clear();
  for (const Segment* s = segments.first(); s != nullptr && other_ != nullptr; s = s->next) {
    other_->deliver(s->data, s->size);
  }
  if (finishing_) end_other(Code::kClosed);
}

void PipeStream::deliver(const char* data, std::size_t size) {
  if (closed_) return;
  if (paused_ || !held_.empty()) {
    held_.append({data, size});
    return;
  }
  user_->on_bytes({const_cast<char*>(data), size});
}

void PipeStream::resume() {
  paused_ = false;
  if (!held_.empty() || end_pending_) owner_.shard_.defer(*this);
}

void PipeStream::end_other(Code code) {
  if (other_ == nullptr) return;
  PipeStream* other = other_;
  other_ = nullptr;
  other->other_ = nullptr;
  other->end_pending_ = true;
  other->end_code_ = code;
  owner_.shard_.defer(*other);
}

void PipeStream::finish() {
  if (closed_) return;
  finishing_ = true;
  if (!Flushable::is_linked()) end_other(Code::kClosed);
  close_own_end();
}

void PipeStream::abort() {
  if (closed_) return;
  Flushable::unlink();
  end_other(Code::kReset);
  close_own_end();
}

void PipeStream::close_own_end() {
  closed_ = true;
  user_ = nullptr;
  owner_.shard_.defer(*this);
}

void PipeStream::run_deferred() {
  if (closed_) {
    // The last bytes may still wait for their flush.
    if (Flushable::is_linked()) return owner_.shard_.defer(*this);
    if (other_ != nullptr) end_other(Code::kClosed);
    return owner_.pool_.destroy(this);
  }
  if (open_pending_) {
    open_pending_ = false;
    user_->on_open();
  }
  const bool had_backlog = !held_.empty();
  while (!closed_ && !paused_ && !held_.empty()) {
    Backlog::Piece piece = held_.front();
    held_.take(piece.size);
    user_->on_bytes({piece.block->data() + piece.offset, piece.size});
  }
  if (had_backlog && !closed_ && other_ != nullptr && !other_->closed_ &&
      held_.bytes() <= kBacklogLow) {
    other_->user_->on_drained();
  }
  if (!closed_ && end_pending_ && !paused_ && held_.empty()) {
    end_pending_ = false;
    user_->on_end({end_code_, Source::kInternal, Retry::kNever, 0, "the pipe's other end closed"});
  }
}

}  // namespace leat::net
