// SPDX-License-Identifier: Apache-2.0
#include "simulation/sim_network.h"

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "simulation/sim_world.h"

namespace leat::sim {

namespace {

constexpr std::size_t kBacklogMax = 128;
constexpr Duration kSynTimeout = seconds(127);  // net.ipv4.tcp_syn_retries = 6
constexpr std::size_t kSegmentsMax = 4;

}  // namespace

// ---- End ---------------------------------------------------------------------------------------

End& End::other() {
  return connection_->end(1 - connection_->index_of(*this));
}

std::size_t End::room() const {
  const std::size_t held = outgoing_->bytes.size() - outgoing_->head;
  return held >= outgoing_->capacity ? 0 : outgoing_->capacity - held;
}

std::size_t End::write(std::string_view bytes) {
  LEAT_CHECK(can_write());
  const std::size_t taken = std::min(bytes.size(), room());
  if (taken < bytes.size()) outgoing_->wants_room = true;
  if (taken == 0) return 0;
  outgoing_->bytes.insert(outgoing_->bytes.end(), bytes.begin(),
                          bytes.begin() + static_cast<std::ptrdiff_t>(taken));
  outgoing_->written_total += taken;
  connection_->send_segments(connection_->index_of(*this), taken);
  return taken;
}

void End::shutdown() {
  if (!can_write()) return;
  outgoing_->fin_sent = true;
  shut_at_ = connection_->world_.now();
  incoming_->delivered_before_end =
      std::min(incoming_->delivered_before_end, incoming_->delivered_total);
  World& world = connection_->world_;
  world.schedule(connection_->arrival(*outgoing_, Duration{}), EventKind::kFin,
                 event_callback<&Connection::on_fin>, connection_,
                 static_cast<std::uint64_t>(connection_->index_of(*this)));
}

std::string_view End::readable() const {
  return {incoming_->bytes.data() + incoming_->head, incoming_->arrived - incoming_->head};
}

void End::consume(std::size_t count) {
  Direction& in = *incoming_;
  LEAT_CHECK(count <= in.arrived - in.head);
  in.head += count;
  in.delivered_total += count;
  if (in.head > 4096 && in.head * 2 > in.bytes.size()) {
    in.bytes.erase(in.bytes.begin(), in.bytes.begin() + static_cast<std::ptrdiff_t>(in.head));
    in.arrived -= in.head;
    in.head = 0;
  }
  if (!in.wants_room) return;
  in.wants_room = false;
  World& world = connection_->world_;
  world.schedule(world.now() + in.latency, EventKind::kRoom, event_callback<&Connection::on_room>,
                 connection_, static_cast<std::uint64_t>(1 - connection_->index_of(*this)));
}

void End::close() {
  if (!is_open_) return;
  if (!readable().empty()) {
    reset(false);
    return;
  }
  shutdown();
  is_open_ = false;
  user_ = nullptr;
  closed_at_ = connection_->world_.now();
}

void End::reset(bool overtakes) {
  if (!is_open_) return;
  is_open_ = false;
  user_ = nullptr;
  incoming_->delivered_before_end =
      std::min(incoming_->delivered_before_end, incoming_->delivered_total);
  World& world = connection_->world_;
  closed_at_ = world.now();
  if (error_ != 0) return;
  const Instant at =
      overtakes ? world.now() + outgoing_->latency : connection_->arrival(*outgoing_, Duration{});
  world.schedule(at, EventKind::kReset, event_callback<&Connection::on_reset>, connection_,
                 static_cast<std::uint64_t>(connection_->index_of(*this)));
}

// ---- Direction ---------------------------------------------------------------------------------

const Direction::Mark& Direction::mark_of(std::uint64_t offset) const {
  LEAT_CHECK(!marks.empty());
  const auto behind = std::ranges::upper_bound(marks, offset, {}, &Mark::offset);
  return behind == marks.begin() ? marks.front() : *(behind - 1);
}

Instant Direction::arrived_at(std::uint64_t total) const {
  const auto found = std::ranges::lower_bound(arrivals, total, {},
                                              [](const auto& arrival) { return arrival.first; });
  return found == arrivals.end() ? kNever : found->second;
}

// ---- Connection --------------------------------------------------------------------------------

Connection::Connection(World& world, std::uint32_t id, const io::Address& from,
                       const io::Address& to)
    : world_(world), id_(id), from_(from), to_(to) {
  Rng& rng = world.rng();
  const bool tiny = world.strikes(Fault::kTinyBuffers);
  for (int i = 0; i < 2; ++i) {
    ends_[i].connection_ = this;
    ends_[i].outgoing_ = &directions_[i];
    ends_[i].incoming_ = &directions_[1 - i];
    directions_[i].capacity =
        static_cast<std::size_t>(tiny ? rng.between(64, 2'048) : rng.between(4'096, 262'144));
    directions_[i].latency =
        nanoseconds(rng.between(world.network().latency_min.ns, world.network().latency_max.ns));
  }
}

// Arrivals of one direction keep their order and never coincide.
Instant Connection::arrival(Direction& direction, Duration extra) {
  const Instant earliest =
      std::max(direction.last_arrival + nanoseconds(1), direction.stalled_until);
  direction.last_arrival = std::max(earliest, world_.now() + direction.latency + extra);
  return direction.last_arrival;
}

void Connection::send_segments(int from, std::size_t size) {
  Direction& direction = directions_[from];
  Rng& rng = world_.rng();
  if (world_.strikes(Fault::kStall)) {
    // Sometimes past every time limit there is.
    const Duration stall = milliseconds(std::int64_t{1} << rng.between(4, 17));
    direction.stalled_until = world_.now() + stall;
    direction.longest_stall = std::max(direction.longest_stall, stall);
  }
  if (world_.strikes(Fault::kReset) && rng.chance(0.05)) {
    const int victim = static_cast<int>(rng.below(2));
    world_.schedule(world_.now() + microseconds(rng.between(0, 50'000)), EventKind::kReset,
                    event_callback<&Connection::on_break>, this,
                    static_cast<std::uint64_t>(victim));
  }
  for (std::size_t i = 0; size > 0; ++i) {
    const std::size_t slice =
        i + 1 == kSegmentsMax ? size : static_cast<std::size_t>(rng.below(size)) + 1;
    size -= slice;
    const Duration jitter = nanoseconds(rng.between(0, direction.latency.ns / 2));
    world_.schedule(arrival(direction, jitter), EventKind::kArrive,
                    event_callback<&Connection::on_arrive>, this,
                    (static_cast<std::uint64_t>(slice) << 1) | static_cast<std::uint64_t>(from));
  }
}

void Connection::tell_readable(End& end) {
  if (end.is_open_ && end.user_ != nullptr) end.user_->on_readable();
}

void Connection::on_syn(std::uint64_t) {
  if (!ends_[0].is_open_) return;
  const Duration back = directions_[1].latency;
  if (world_.strikes(Fault::kConnectBlackholed)) {
    world_.schedule(world_.now() + kSynTimeout, EventKind::kEstablished,
                    event_callback<&Connection::on_syn_answer>, this, ETIMEDOUT);
    return;
  }
  Port* port = world_.network().choose_port(to_);
  const bool refused = port == nullptr || world_.strikes(Fault::kConnectRefused);
  if (!refused && port->backlog_.size() >= kBacklogMax) {
    world_.schedule(world_.now() + seconds(1), EventKind::kConnect,
                    event_callback<&Connection::on_syn>, this);
    return;
  }
  world_.schedule(world_.now() + back, EventKind::kEstablished,
                  event_callback<&Connection::on_syn_answer>, this, refused ? ECONNREFUSED : 0);
  if (refused) return;
  directions_[1].last_arrival = world_.now() + back;
  port->backlog_.push_back(this);
  port->user_->on_pending();
}

void Connection::on_syn_answer(std::uint64_t error) {
  world_.trace().mix(id_ ^ (error << 32));
  End& end = ends_[0];
  if (!end.is_open_ || end.user_ == nullptr) return;
  if (error != 0) {
    end.error_ = static_cast<int>(error);
    end.user_->on_connect_failed(static_cast<int>(error));
  } else {
    end.user_->on_established();
  }
}

void Connection::on_arrive(std::uint64_t argument) {
  const auto from = static_cast<int>(argument & 1);
  const auto size = static_cast<std::size_t>(argument >> 1);
  Direction& direction = directions_[from];
  End& reader = ends_[1 - from];
  if (direction.arrived + size > direction.bytes.size()) return;  // lost with a reset
  world_.trace().mix(id_ * 2 + static_cast<std::uint64_t>(from));
  world_.trace().mix(std::string_view(direction.bytes.data() + direction.arrived, size));
  direction.arrived += size;
  const std::uint64_t before = direction.arrivals.empty() ? 0 : direction.arrivals.back().first;
  direction.arrivals.emplace_back(before + size, world_.now());
  if (reader.is_open_) {
    tell_readable(reader);
    return;
  }
  // Bytes for a socket that was closed: they are answered by a reset.
  direction.head = direction.arrived;
  if (ends_[from].is_open_ && ends_[from].error_ == 0) {
    world_.schedule(world_.now() + directions_[1 - from].latency, EventKind::kReset,
                    event_callback<&Connection::on_reset>, this,
                    static_cast<std::uint64_t>(1 - from));
  }
}

void Connection::on_fin(std::uint64_t from) {
  world_.trace().mix(id_ * 2 + from);
  directions_[from].fin_arrived = true;
  End& reader = ends_[1 - from];
  if (reader.peer_gone_at_ == kNever) reader.peer_gone_at_ = world_.now();
  tell_readable(reader);
}

void Connection::on_break(std::uint64_t from) {
  was_broken_ = true;
  on_reset(from);
}

void Connection::on_reset(std::uint64_t from) {
  world_.trace().mix(id_ * 2 + from);
  End& victim = ends_[1 - from];
  Direction& lost = directions_[from];
  if (!victim.is_open_ || victim.error_ != 0) return;
  victim.error_ = ECONNRESET;
  if (victim.peer_gone_at_ == kNever) victim.peer_gone_at_ = world_.now();
  // What is still in flight is lost; what has arrived may be read, or not (both are seen in life).
  lost.bytes.resize(lost.arrived);
  if (world_.rng().chance(0.5)) lost.head = lost.arrived;
  // Nothing that this side has written gets through any more either.
  directions_[1 - from].bytes.resize(directions_[1 - from].arrived);
  // The side that reset (or the network between) is as gone as this one.
  End& source = ends_[from];
  if (source.is_open_ && source.error_ == 0) {
    source.error_ = ECONNRESET;
    if (source.peer_gone_at_ == kNever) source.peer_gone_at_ = world_.now();
    tell_readable(source);
  }
  tell_readable(victim);
}

void Connection::on_room(std::uint64_t writer) {
  End& end = ends_[writer];
  end.outgoing_->unblocked_at = world_.now();
  if (end.is_open_ && end.user_ != nullptr) end.user_->on_room();
}

// ---- Port, Network -----------------------------------------------------------------------------

Connection& Port::accept() {
  LEAT_CHECK(has_pending());
  Connection* connection = backlog_.front();
  backlog_.pop_front();
  return *connection;
}

void Port::close() {
  user_ = nullptr;
  for (Connection* connection : backlog_) connection->end(1).reset(false);
  backlog_.clear();
}

Port* Network::listen(io::Address address, PortUser& user, bool shares) {
  if (address.port == 0) address.port = next_port_++;
  for (const auto& port : ports_) {
    const bool in_use = port->user_ != nullptr && port->address_ == address;
    if (in_use && !(shares && port->shares_)) return nullptr;
  }
  ports_.push_back(std::make_unique<Port>(address, user, shares));
  return ports_.back().get();
}

Connection& Network::connect(const io::Address& from, const io::Address& to, EndUser& user) {
  const auto id = static_cast<std::uint32_t>(connections_.size());
  connections_.push_back(std::make_unique<Connection>(world_, id, from, to));
  Connection& connection = *connections_.back();
  connection.ends_[0].set_user(&user);
  world_.schedule(world_.now() + connection.directions_[0].latency, EventKind::kConnect,
                  event_callback<&Connection::on_syn>, &connection);
  return connection;
}

Port* Network::choose_port(const io::Address& to) {
  std::size_t count = 0;
  Port* chosen = nullptr;
  for (const auto& port : ports_) {
    if (port->user_ == nullptr || !(port->address_ == to)) continue;
    if (world_.rng().below(++count) == 0) chosen = port.get();
  }
  return chosen;
}

}  // namespace leat::sim
