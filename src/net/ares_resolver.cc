// SPDX-License-Identifier: Apache-2.0
#include "net/ares_resolver.h"

#include <ares.h>
#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <cstring>

namespace leat::net {

namespace {

std::optional<io::Address> parse_literal(const std::string& host) {
  if (auto v4 = io::Address::parse(host + ":0")) return v4;
  return io::Address::parse("[" + host + "]:0");
}

std::optional<io::Address> to_address(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, address, sizeof in);
    const auto* b = reinterpret_cast<const std::uint8_t*>(&in.sin_addr);
    return io::Address::v4(b[0], b[1], b[2], b[3], 0);
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, address, sizeof in);
    io::Address result;
    std::memcpy(result.ip.data(), &in.sin6_addr, result.ip.size());
    return result;
  }
  return std::nullopt;
}

Error resolve_error(int status) {
  const bool slow = status == ARES_ETIMEOUT;
  return {slow ? Code::kTimedOut : Code::kNotFound, Source::kUpstream, Retry::kOtherUpstream, 0,
          slow ? "the name servers did not answer" : "the name does not resolve"};
}

}  // namespace

Result<std::unique_ptr<AresResolver>> AresResolver::create(shard::Shard& shard,
                                                           const ResolverLimits& limits) {
  std::unique_ptr<AresResolver> resolver(new AresResolver(shard, limits));
  ares_options options{};
  options.timeout = 700;  // ms for the first try; two tries stay within the 2 s of a lookup
  options.tries = 2;
  options.sock_state_cb_data = resolver.get();
  options.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
    static_cast<AresResolver*>(self)->on_socket_state(fd, readable != 0, writable != 0);
  };
  const int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
  if (ares_init_options(&resolver->channel_, &options, mask) != ARES_SUCCESS) {
    return fail({Code::kInternal, Source::kInternal, Retry::kNever, 0, "c-ares does not start"});
  }
  return resolver;
}

AresResolver::~AresResolver() {
  if (channel_ != nullptr) ares_destroy(channel_);
}

void AresResolver::resolve(const std::string& host, ResolveRequest& request) {
  if (cache_.size() >= limits_.entries_max) make_room();
  auto& slot = cache_[host];
  if (slot == nullptr) slot = std::make_unique<Entry>();
  Entry& entry = *slot;
  entry.waiting.push_back(request);
  if (entry.asking) return;
  if (entry.addresses.empty()) {
    if (auto literal = parse_literal(host)) {
      entry.addresses = {*literal};
      entry.fresh_until = kNever;
    }
  }
  if (!entry.addresses.empty() && shard_.now() < entry.fresh_until) {
    ready_.push_back(&entry);
    shard_.defer(*this);
    return;
  }
  ask(host, entry);
}

void AresResolver::ask(const std::string& host, Entry& entry) {
  entry.asking = true;
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  auto* question = new Question{this, &entry};
  ares_getaddrinfo(
      channel_, host.c_str(), nullptr, &hints,
      [](void* context, int status, int, ares_addrinfo* answer) {
        std::unique_ptr<Question> asked(static_cast<Question*>(context));
        asked->resolver->on_answer(*asked->entry, status, answer);
        if (answer != nullptr) ares_freeaddrinfo(answer);
      },
      question);
  arm_timer();
}

// May be called from inside ares_getaddrinfo(): names of the hosts file are answered at once.
void AresResolver::on_answer(Entry& entry, int status, ares_addrinfo* answer) {
  entry.asking = false;
  if (status == ARES_EDESTRUCTION) return;
  if (status == ARES_SUCCESS && answer != nullptr) {
    std::vector<io::Address> addresses;
    std::int64_t ttl_seconds = limits_.ttl_max.ns / 1'000'000'000;
    for (ares_addrinfo_node* node = answer->nodes; node != nullptr; node = node->ai_next) {
      if (addresses.size() == limits_.addresses_max) break;
      if (auto address = to_address(node->ai_addr)) addresses.push_back(*address);
      ttl_seconds = std::min<std::int64_t>(ttl_seconds, node->ai_ttl);
    }
    if (!addresses.empty()) {
      entry.addresses = std::move(addresses);
      entry.fresh_until =
          shard_.now() + std::clamp(seconds(ttl_seconds), limits_.ttl_min, limits_.ttl_max);
      entry.stale_until = entry.fresh_until + limits_.stale_max;
    }
  } else if (shard_.now() >= entry.stale_until) {
    entry.addresses.clear();
  }
  ready_.push_back(&entry);
  shard_.defer(*this);
}

void AresResolver::run_deferred() {
  std::vector<Entry*> ready;
  ready.swap(ready_);
  for (Entry* entry : ready) deliver(*entry);
}

void AresResolver::deliver(Entry& entry) {
  while (ResolveRequest* request = entry.waiting.pop_front()) {
    if (entry.addresses.empty()) {
      request->on_resolved(fail(resolve_error(ARES_ENOTFOUND)));
    } else {
      request->on_resolved(std::span<const io::Address>(entry.addresses));
    }
  }
}

void AresResolver::on_socket_state(int fd, bool readable, bool writable) {
  const unsigned events = (readable ? POLLIN : 0u) | (writable ? POLLOUT : 0u);
  auto known = watched_.find(fd);
  if (known != watched_.end() && known->second.armed) shard_.io().poll_stop(fd, *this);
  if (events == 0) {
    watched_.erase(fd);
    return;
  }
  watched_[fd] = {events, true};
  shard_.io().poll_start(fd, events, *this);
}

void AresResolver::on_poll(int fd, int events) {
  auto known = watched_.find(fd);
  if (known == watched_.end()) return;
  known->second.armed = false;
  const bool failed = events < 0 || (events & (POLLERR | POLLHUP)) != 0;
  const bool in = failed || (events & POLLIN) != 0;
  const bool out = failed || (events & POLLOUT) != 0;
  ares_process_fd(channel_, in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
  // One poll answers once; c-ares may have closed the descriptor or asked anew meanwhile.
  known = watched_.find(fd);
  if (known != watched_.end() && !known->second.armed) {
    known->second.armed = true;
    shard_.io().poll_start(fd, known->second.events, *this);
  }
  arm_timer();
}

void AresResolver::on_timer() {
  ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  arm_timer();
}

void AresResolver::arm_timer() {
  timeval wait{};
  if (ares_timeout(channel_, nullptr, &wait) == nullptr) {
    shard_.wheel().cancel(timer_);
    return;
  }
  const Duration after = seconds(wait.tv_sec) + microseconds(wait.tv_usec);
  shard_.wheel().set(timer_, shard_.now() + after);
}

void AresResolver::make_room() {
  for (auto it = cache_.begin(); it != cache_.end();) {
    Entry& entry = *it->second;
    const bool in_use = entry.asking || !entry.waiting.empty() ||
                        std::find(ready_.begin(), ready_.end(), &entry) != ready_.end();
    it = !in_use && entry.fresh_until <= shard_.now() ? cache_.erase(it) : std::next(it);
  }
}

}  // namespace leat::net
