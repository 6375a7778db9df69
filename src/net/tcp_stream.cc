// SPDX-License-Identifier: Apache-2.0
#include "net/tcp_stream.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/prefetch.h"
#include "net/cipher_segments.h"
#include "net/hold_due.h"
#include "tls/context.h"

namespace leat::net {

namespace {

// How long, and how much of what still comes, an ending stream waits for its peer to read the last
// bytes (threats-and-faults.md 3.4, "close").
constexpr Duration kLingerTime = seconds(1);
constexpr std::size_t kLingerBytesMax = 64 * 1024;
constexpr Duration kStallTime = seconds(60);
// Of a backlog at a time: who takes so much in a stall's time is slow, and not stalled.
constexpr std::size_t kBacklogSendMost = 64 * 1024;
// What brings so much is no stream of tokens: left alone its buffer would fill, and it would wait.
constexpr std::size_t kHoldBytesMax = 16 * 1024;
// What is looked at of a user without knowing what it is.
constexpr std::size_t kUserBytes = 192;
// UIO_MAXIOV is 1024; a turn that wrote more ranges than this copies them into one.
constexpr std::size_t kSegmentsMax = 256;

Error socket_error(int error) {
  Code code = Code::kReset;
  if (error == 0) code = Code::kClosed;
  if (error == ECONNREFUSED) code = Code::kRefused;
  if (error == ETIMEDOUT) code = Code::kTimedOut;
  return {code, Source::kInternal, Retry::kNever, error, "connection ended"};
}

}  // namespace

// ---- Making ------------------------------------------------------------------------------------

TcpStreams::~TcpStreams() {
  while (TcpStream* stream = all_.pop_front()) {
    shard_.io().close(stream->socket_);
    pool_.destroy(stream);
  }
}

TcpStream& TcpStreams::adopt(io::SocketId socket, tls::ServerContext* context, StreamUser& user) {
  TcpStream* stream = pool_.create(*this);
  stream->socket_ = socket;
  all_.push_back(*stream);
  stream->user_ = &user;
  if (context != nullptr) {
    stream->tls_ = context->new_session(shard_.now());
    stream->state_ = TcpStream::State::kHandshaking;
  }
  shard_.io().set_handler(socket, *stream);
  shard_.io().receive_start(socket);
  return *stream;
}

Result<TcpStream*> TcpStreams::dial(const io::Address& address, tls::ClientContext* context,
                                    const std::string& server_name, StreamUser& user) {
  TcpStream* stream = pool_.create(*this);
  stream->state_ = TcpStream::State::kConnecting;
  stream->is_outgoing_ = true;
  stream->user_ = &user;
  if (context != nullptr) {
    auto session = context->new_session(server_name);
    if (!session) {
      pool_.destroy(stream);
      return fail(session.error());
    }
    stream->tls_ = std::move(*session);
  }
  auto socket = shard_.io().connect(address, *stream);
  if (!socket) {
    pool_.destroy(stream);
    return fail(socket.error());
  }
  stream->socket_ = *socket;
  all_.push_back(*stream);
  return stream;
}

void TcpStreams::abort_ending() {
  while (TcpStream* stream = ending_.pop_front()) stream->abort();
}

// ---- Writing -----------------------------------------------------------------------------------

char* TcpStream::prepare(std::size_t size) {
  owner_.prepared_ = owner_.shard_.arena().allocate(size);
  owner_.prepared_bytes_ = size;
  return owner_.prepared_;
}

// Something is to be sent at the end of the turn; the memory for that is asked for now.
void TcpStream::want_flush() {
  if (shard::Flushable::is_linked()) return;
  owner_.shard_.mark_dirty(*this);
  owner_.shard_.io().foresee_send(socket_);
  if (send_hold_ != nullptr) prefetch(*send_hold_);
}

void TcpStream::commit(std::size_t size) {
  shard::TurnArena& arena = owner_.shard_.arena();
  LEAT_DCHECK(size <= owner_.prepared_bytes_);
  arena.trim(owner_.prepared_bytes_ - size);
  if (is_ending() || size == 0) return;
  bytes_written_ += size;
  (tls_ != nullptr ? plain_ : wire_).append(arena, owner_.prepared_, size, nullptr);
  want_flush();
}

void TcpStream::write_block(Block& block, std::size_t offset, std::size_t size) {
  if (is_ending() || size == 0) return;
  bytes_written_ += size;
  (tls_ != nullptr ? plain_ : wire_)
      .append(owner_.shard_.arena(), block.data() + offset, size, &block);
  want_flush();
}

// Plaintext of this turn becomes as few records as it fits in, behind what the handshake wrote.
void TcpStream::seal() {
  shard::TurnArena& arena = owner_.shard_.arena();
  auto* views = static_cast<std::string_view*>(
      arena.allocate_aligned(plain_.count() * sizeof(std::string_view)));
  std::size_t count = 0;
  for (const Segment* s = plain_.first(); s != nullptr; s = s->next) {
    new (&views[count++]) std::string_view(s->data, s->size);
  }
  plain_.clear();
  CipherSegments out(arena, wire_);
  if (auto sealed = tls_->write({views, count}, out); !sealed) report_end(sealed.error());
}

void TcpStream::flush() {
  if (state_ == State::kDead || state_ == State::kConnecting) return;
  if (send_hold_ != nullptr && may_wait()) return;
  if (!plain_.empty() && state_ != State::kHandshaking) seal();
  if (wire_.empty()) return;
  if (backlog_ != nullptr) {
    keep_backlog(wire_, 0);
  } else {
    stage_send();
  }
  wire_.clear();
}

// ---- Writing what may wait ----

void TcpStream::hold_sends(Duration most) {
  if (state_ != State::kOpen) return;
  if (most < kHoldMin) most = {};
  if (send_hold_ == nullptr) {
    if (most.ns == 0) return;
    send_hold_ = std::make_unique<SendHold>(timer_callback<&TcpStream::on_send_hold_over>, this);
  }
  send_hold_->most = most;
  // The end of the turn sees what waits, and that it may not any more.
  if (send_hold_->is_empty()) return;
  if (most.ns == 0) return want_flush();
  // What waits may wait less than it did, and never longer.
  const Instant due = hold_due(send_hold_->since, most);
  if (due >= send_hold_->due) return;
  send_hold_->due = due;
  owner_.shard_.wheel().set(send_hold_->timer, due);
}

// Whether what was written in this turn stays for a later one; else all goes out, in order.
bool TcpStream::may_wait() {
  const bool is_plain_open = state_ == State::kOpen && backlog_ == nullptr;
  const bool has_records = tls_ != nullptr && !wire_.empty();  // of the library, which cannot wait
  const Instant now = owner_.shard_.now();
  const bool is_first = send_hold_->is_empty();
  const bool is_over = !is_first && now >= send_hold_->due;
  if (send_hold_->most.ns == 0 || is_over || !is_plain_open || has_records ||
      !send_hold_->keep(written())) {
    release_sends();
    return false;
  }
  written().clear();
  if (!is_first) return true;
  send_hold_->since = now;
  send_hold_->due = hold_due(now, send_hold_->most);
  owner_.shard_.hold_until(send_hold_->due);
  owner_.shard_.wheel().set(send_hold_->timer, send_hold_->due);
  return true;
}

void TcpStream::on_send_hold_over() {
  if (state_ != State::kDead) want_flush();
}

// What waits stands in front of what was written since.
void TcpStream::release_sends() {
  if (send_hold_ == nullptr || send_hold_->is_empty()) return;
  owner_.hold_stats_.note(owner_.shard_.now() - send_hold_->since);
  owner_.shard_.wheel().cancel(send_hold_->timer);
  send_hold_->give_back(owner_.shard_.arena(), written());
}

void TcpStream::stage_send() {
  shard::TurnArena& arena = owner_.shard_.arena();
  if (wire_.count() > kSegmentsMax) {
    char* joined = arena.allocate(wire_.bytes());
    std::size_t filled = 0;
    for (const Segment* s = wire_.first(); s != nullptr; s = s->next) {
      std::memcpy(joined + filled, s->data, s->size);
      filled += s->size;
    }
    wire_.clear();
    wire_.append(arena, joined, filled, nullptr);
  }
  staged_ = wire_;
  staged_in_ = owner_.shard_.io().stats().turns;
  auto* vectors = static_cast<iovec*>(arena.allocate_aligned(wire_.count() * sizeof(iovec)));
  std::size_t count = 0;
  for (const Segment* s = staged_.first(); s != nullptr; s = s->next)
    vectors[count++] = {s->data, s->size};
  owner_.shard_.io().send(socket_, {vectors, count});
}

void TcpStream::on_send_short(std::size_t sent, int error) {
  if (state_ == State::kDead) return;
  if (error != EAGAIN && error != 0) return report_end(socket_error(error));
  backlog_ = std::make_unique<Backlog>();
  keep_backlog(staged_, sent);
  staged_.clear();
  if (backlog_->empty()) {
    backlog_.reset();
    return;
  }
  send_backlog();
}

// Everything from byte `skip` of the chain on is put behind what is there already.
void TcpStream::keep_backlog(const SegmentList& segments, std::size_t skip) {
  for (const Segment* s = segments.first(); s != nullptr; s = s->next) {
    if (skip >= s->size) {
      skip -= s->size;
      continue;
    }
    char* data = s->data + skip;
    const std::size_t size = s->size - skip;
    skip = 0;
    if (s->block != nullptr) {
      const auto offset = static_cast<std::size_t>(data - s->block->data());
      backlog_->append_block(*s->block, offset, size);
    } else {
      backlog_->append({data, size});
    }
  }
}

void TcpStream::send_backlog() {
  Backlog::Piece& piece = backlog_->front();
  owner_.shard_.io().send_block(socket_, piece.block, piece.offset,
                                std::min(piece.size, kBacklogSendMost));
}

void TcpStream::on_send_block(std::size_t sent, int error) {
  if (state_ == State::kDead) return;
  if (error != 0) return report_end(socket_error(error));
  backlog_->take(sent);
  if (!backlog_->empty()) send_backlog();
  const bool drained = backlog_->bytes() <= kBacklogLow;
  if (backlog_->empty()) backlog_.reset();
  if (drained && !is_ending()) user_->on_drained();
  if (state_ != State::kFinishing) return;
  // It reads, however slowly.
  if (linger_ != nullptr) {
    owner_.shard_.wheel().set(linger_->timer, owner_.shard_.now() + kStallTime);
  }
  owner_.shard_.defer(*this);
}

// ---- Receiving ---------------------------------------------------------------------------------

void TcpStream::pause() {
  if (is_ending()) return;
  stop_holding();
  owner_.shard_.io().receive_stop(socket_);
}

void TcpStream::pause_watching() {
  if (is_ending()) return;
  stop_holding();
  owner_.shard_.io().receive_watch(socket_);
}

void TcpStream::resume() {
  if (!is_ending()) owner_.shard_.io().receive_start(socket_);
}

void TcpStream::receive_block(BlockRef block, std::size_t offset, std::size_t size) {
  LEAT_CHECK(can_receive_into_block());
  if (is_ending()) return;
  stop_holding();
  owner_.shard_.io().receive_into(socket_, std::move(block), offset, size);
}

void TcpStream::hold(Duration most) {
  if (state_ != State::kOpen) return;
  if (holding_ == nullptr) {
    if (most < kHoldMin) return;
    holding_ = std::make_unique<Holding>(this);
  }
  if (most < kHoldMin || holding_->brought > kHoldBytesMax) most = {};
  holding_->brought = 0;
  const bool was_holding = holding_->most.ns > 0;
  if (most.ns == 0 && was_holding) {
    stop_holding();
    owner_.shard_.io().receive_start(socket_);
    return;
  }
  holding_->most = most;
  if (most.ns > 0 && !was_holding) owner_.shard_.io().receive_hold(socket_);
}

void TcpStream::on_held() {
  if (holding_ == nullptr || holding_->most.ns == 0) return;
  const Instant now = owner_.shard_.now();
  holding_->since = now;
  const Instant due = hold_due(now, holding_->most);
  owner_.shard_.hold_until(due);
  owner_.shard_.wheel().set(holding_->timer, due);
}

void TcpStream::on_hold_over() {
  owner_.hold_stats_.note(owner_.shard_.now() - holding_->since);
  owner_.shard_.io().receive_hold(socket_);
  owner_.shard_.expect_at_once();
}

// What is held is not asked for: the caller does.
void TcpStream::stop_holding() {
  if (holding_ == nullptr) return;
  if (holding_->timer.is_set()) owner_.hold_stats_.note(owner_.shard_.now() - holding_->since);
  owner_.shard_.wheel().cancel(holding_->timer);
  holding_->most = {};
}

void TcpStream::delay_acks() {
  owner_.shard_.io().delay_acks(socket_);
}

bool TcpStream::delays_acks() {
  return owner_.shard_.io().delays_acks(socket_);
}

bool TcpStream::foresee(int depth, std::span<const char> bytes) const {
  if (depth == 0) {
    prefetch(*this);
    return true;
  }
  if (state_ != State::kOpen) return false;
  if (depth == 1) {
    if (tls_ != nullptr) prefetch(*tls_);
    prefetch(user_, kUserBytes);
    return true;
  }
  if (tls_ == nullptr) return user_->foresee(depth - 2, bytes);
  if (depth == 2) tls_->foresee();
  return user_->foresee(depth - 2, {});
}

void TcpStream::on_receive(std::span<char> bytes) {
  if (state_ == State::kDead) return;
  if (is_ending()) {
    if (linger_ == nullptr) return;
    linger_->discarded += bytes.size();
    if (linger_->discarded > kLingerBytesMax) die();
    return;
  }
  if (holding_ != nullptr) holding_->brought += bytes.size();
  if (tls_ == nullptr) return user_->on_bytes(bytes);
  if (state_ == State::kHandshaking && must_wait(bytes)) return;
  feed_tls(bytes);
}

// Whether it is to be done by a later turn; then the bytes are kept, and what follows them is left
// with Io. A server is done with the dear part when it has answered the client's first flight.
bool TcpStream::must_wait(std::span<const char> bytes) {
  if (has_answered_ || owner_.handshakes_.admit()) return false;
  hello_ = std::make_unique<Hello>(this, bytes);
  owner_.shard_.io().receive_stop(socket_);
  owner_.handshakes_.wait(*hello_, is_outgoing_);
  return true;
}

void TcpStream::end_waiting() {
  const std::unique_ptr<Hello> hello = std::move(hello_);
  owner_.shard_.io().receive_start(socket_);
  feed_tls(hello->bytes());
}

void TcpStream::feed_tls(std::span<char> bytes) {
  CipherSegments out(owner_.shard_.arena(), wire_);
  const tls::SessionState after = tls_->feed(bytes, *this, out);
  if (state_ == State::kDead) return;
  if (!wire_.empty()) {
    want_flush();
    has_answered_ = !is_outgoing_;
  }
  if (is_ending()) return;
  const bool is_past_handshake =
      after == tls::SessionState::kOpen || after == tls::SessionState::kClosed;
  if (state_ == State::kHandshaking && is_past_handshake) {
    become_open();
    if (is_ending()) return;
  }
  if (after == tls::SessionState::kFailed) return report_end(tls_->error());
  if (after == tls::SessionState::kClosed) report_end(socket_error(0));
}

// The handshake is done.
void TcpStream::become_open() {
  state_ = State::kOpen;
  if (is_outgoing_) {
    ++owner_.handshakes_made_;
    if (tls_->is_resumed()) ++owner_.handshakes_resumed_;
  }
  if (!plain_.empty()) want_flush();
  user_->on_open();
}

void TcpStream::on_plain(std::span<char> bytes) {
  if (is_ending()) return;
  // The first bytes may come with the end of the handshake.
  if (state_ == State::kHandshaking) {
    become_open();
    if (is_ending()) return;
  }
  user_->on_bytes(bytes);
}

void TcpStream::on_receive_into(std::size_t count, int error) {
  if (is_ending()) return;
  if (count == 0) return report_end(socket_error(error));
  user_->on_block_bytes(count);
}

void TcpStream::on_receive_end(int error) {
  if (state_ == State::kDead) return;
  peer_ended_ = true;
  if (state_ == State::kLingering || (is_ending() && error != 0)) return die();
  if (is_ending()) return;
  Error why = socket_error(error);
  // With TLS only close_notify is an end in order; a bare FIN may have cut something off.
  if (tls_ != nullptr && error == 0) why.code = Code::kReset;
  report_end(why);
}

// What is unread is lost with its peer, so that this is no end in order.
void TcpStream::on_peer_gone() {
  if (!is_ending()) report_end(socket_error(ECONNRESET));
}

void TcpStream::on_connect(int error) {
  if (state_ != State::kConnecting) return;
  if (error != 0) return report_end(socket_error(error));
  owner_.shard_.io().receive_start(socket_);
  if (tls_ == nullptr) {
    state_ = State::kOpen;
    user_->on_open();
    return;
  }
  state_ = State::kHandshaking;
  CipherSegments out(owner_.shard_.arena(), wire_);
  if (auto started = tls_->start(out); !started) return report_end(started.error());
  want_flush();
  user_->on_connected();
}

// ---- Lending -----------------------------------------------------------------------------------

bool TcpStream::lend() {
  const bool has_unsent = backlog_ != nullptr || !plain_.empty() || !wire_.empty() ||
                          Flushable::is_linked() ||
                          (send_hold_ != nullptr && !send_hold_->is_empty());
  const bool is_held = holding_ != nullptr && holding_->most.ns > 0;
  if (state_ != State::kOpen || !is_outgoing_ || end_reported_ || has_unsent || is_held) {
    return false;
  }
  if (tls_ != nullptr && !tls_->can_detach()) return false;
  owner_.shard_.io().release(socket_);
  return true;
}

void TcpStream::on_released(std::unique_ptr<io::LooseSocket> socket) {
  if (state_ == State::kDead) return;
  if (socket == nullptr) {
    if (!is_ending()) user_->on_lent(nullptr);
    return;
  }
  if (is_ending()) return die();
  auto stream = std::make_unique<LooseStream>(std::move(socket));
  if (tls_ != nullptr) stream->tls = tls_->detach();
  StreamUser* const user = user_;
  die();
  user->on_lent(std::move(stream));
}

TcpStream& TcpStreams::adopt(std::unique_ptr<LooseStream> loose) {
  TcpStream* stream = pool_.create(*this);
  all_.push_back(*stream);
  stream->is_outgoing_ = true;
  stream->tls_ = std::move(loose->tls);
  stream->socket_ = shard_.io().adopt(std::move(loose->socket), *stream);
  shard_.io().receive_start(stream->socket_);
  return *stream;
}

// ---- Ending ------------------------------------------------------------------------------------

void TcpStream::report_end(const Error& why) {
  if (is_ending()) return die();
  // After an end in order the peer may still read, or turn out to be gone.
  const bool is_failure = why.code != Code::kClosed;
  if (is_failure ? failure_reported_ : end_reported_) return;
  end_reported_ = true;
  failure_reported_ = is_failure;
  user_->on_end(why);
}

void TcpStream::finish() {
  if (is_ending()) return;
  if (state_ == State::kConnecting) return abort();
  release_sends();
  if (!written().empty()) want_flush();
  if (tls_ != nullptr && state_ == State::kOpen && tls_->state() != tls::SessionState::kFailed) {
    if (!plain_.empty()) seal();
    CipherSegments out(owner_.shard_.arena(), wire_);
    tls_->close_notify(out);
    want_flush();
  }
  stop_holding();
  hello_.reset();
  state_ = State::kFinishing;
  user_ = nullptr;
  owner_.ending_.push_back(*this);
  owner_.shard_.defer(*this);
}

void TcpStream::abort() {
  if (state_ == State::kDead) return;
  die();
}

void TcpStream::die() {
  // An alert tells the peer why; it leaves before the hang-up does, unless something else of this
  // stream may be on its way out in this very turn.
  const bool has_alert = tls_ != nullptr && tls_->state() == tls::SessionState::kFailed;
  const bool is_free = backlog_ == nullptr && owner_.shard_.io().stats().turns > staged_in_ + 1;
  if (has_alert && is_free && state_ != State::kDead && !wire_.empty()) {
    stage_send();
    wire_.clear();
  }
  state_ = State::kDead;
  user_ = nullptr;
  stop_holding();
  hello_.reset();
  if (send_hold_ != nullptr) owner_.shard_.wheel().cancel(send_hold_->timer);
  Flushable::unlink();
  Ending::unlink();
  owner_.shard_.io().close(socket_);
  owner_.shard_.defer(*this);
}

void TcpStream::start_lingering() {
  state_ = State::kLingering;
  if (peer_ended_) return die();
  owner_.shard_.io().shutdown_send(socket_);
  // It may have been paused; its peer's FIN is what ends the wait.
  owner_.shard_.io().receive_start(socket_);
  linger_ = std::make_unique<Linger>(this);
  owner_.shard_.wheel().set(linger_->timer, owner_.shard_.now() + kLingerTime);
}

void TcpStream::on_linger_over() {
  die();
}

void TcpStream::run_deferred() {
  if (state_ == State::kDead) {
    TcpStreams& owner = owner_;
    owner.pool_.destroy(this);
    if (owner.live() == 0 && owner.on_none_left) owner.on_none_left();
    return;
  }
  if (state_ != State::kFinishing) return;
  // Not before the bytes have left: the flush of the coming turn, or the end of the backlog, first.
  if (Flushable::is_linked()) return owner_.shard_.defer(*this);
  if (backlog_ == nullptr) return start_lingering();
  if (linger_ == nullptr) {
    // A peer that does not read its last bytes is not waited for longer than a stalled client.
    linger_ = std::make_unique<Linger>(this);
    owner_.shard_.wheel().set(linger_->timer, owner_.shard_.now() + kStallTime);
  }
}

}  // namespace leat::net
