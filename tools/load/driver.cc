// SPDX-License-Identifier: Apache-2.0
#include "load/driver.h"

#include <netdb.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "wire/process.h"

namespace leat::tools {
namespace {

sockaddr_in resolve(const Url& url, const std::string& connect_to) {
  std::string host = url.host;
  std::string port = url.port;
  if (!connect_to.empty()) {
    const std::size_t colon = connect_to.rfind(':');
    if (colon == std::string::npos) die("--connect-to is HOST:PORT");
    host = connect_to.substr(0, colon);
    port = connect_to.substr(colon + 1);
  }
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) die("the host is not known");
  sockaddr_in address{};
  std::memcpy(&address, found->ai_addr, sizeof address);
  freeaddrinfo(found);
  return address;
}

}  // namespace

Driver::Driver(const LoadOptions& options)
    : options_(options),
      url_(options.url),
      form_(options, url_),
      rng_(options.seed),
      context_{.options = options_,
               .url = url_,
               .form = form_,
               .loop = loop_,
               .scratch = scratch_,
               .rng = rng_,
               .results = results_,
               .owner = *this} {
  context_.server = resolve(url_, options_.connect_to);
  if (url_.tls) context_.tls = client_context(options_.ca_file);
  if (!options_.abort_log.empty()) {
    context_.abort_log = std::fopen(options_.abort_log.c_str(), "w");
    if (context_.abort_log == nullptr) die("the abort log cannot be written");
  }
  for (std::size_t i = 0; i < options_.connections; ++i) {
    clients_.push_back(std::make_unique<Client>(context_, i));
  }
}

Driver::~Driver() {
  if (context_.tls != nullptr) SSL_CTX_free(context_.tls);  // counted: its sessions keep it as long
  if (context_.abort_log != nullptr) std::fclose(context_.abort_log);
}

Instant Driver::arrival(std::uint64_t number) const {
  return begin_ +
         nanoseconds(static_cast<std::int64_t>(static_cast<double>(number) * 1e9 / options_.rate));
}

const Results& Driver::run() {
  for (const pid_t pid : options_.pids) {
    results_.processes.push_back({.pid = pid, .before = memory_of(pid)});
  }
  begin_ = read_clock();
  window_begin_ = begin_ + options_.ramp + options_.warm_up;
  window_end_ = window_begin_ + options_.window;
  loop_.agenda().set(phase_alarm_, window_begin_);
  if (options_.rate > 0) {
    for (const auto& client : clients_) free_.push_back(client.get());
    loop_.agenda().set(arrival_alarm_, begin_);
  } else {
    loop_.agenda().set(ramp_alarm_, begin_);
  }
  while (phase_ != Phase::kDrain) {
    loop_.turn(kNever);
    dispatch();
  }
  const Instant drain_end = window_end_ + options_.drain;
  while (loop_.now() < drain_end && !is_quiet()) {
    loop_.turn(drain_end);
    dispatch();
  }
  for (const auto& client : clients_) results_.unfinished += !client->is_free();
  results_.unfinished += backlog_.size();
  return results_;
}

bool Driver::is_quiet() const {
  return backlog_.empty() && std::all_of(clients_.begin(), clients_.end(),
                                         [](const auto& client) { return client->is_free(); });
}

void Driver::on_ramp() {
  while (ramped_ < clients_.size()) {
    const auto share = static_cast<double>(ramped_) / static_cast<double>(clients_.size());
    const Instant due =
        begin_ +
        nanoseconds(static_cast<std::int64_t>(share * static_cast<double>(options_.ramp.ns)));
    if (due > read_clock()) {
      loop_.agenda().set(ramp_alarm_, due);
      return;
    }
    clients_[ramped_++]->start({.number = started_++, .start = read_clock()});
  }
}

void Driver::on_arrival() {
  if (phase_ == Phase::kDrain) return;
  const Instant now = read_clock();
  while (arrival(due_) <= now) {
    const Instant start = arrival(due_++);
    backlog_.push_back({.start = start, .measured = start >= window_begin_ && start < window_end_});
  }
  loop_.agenda().set(arrival_alarm_, arrival(due_));
  dispatch_due();
}

void Driver::dispatch_due() {
  while (!backlog_.empty() && !free_.empty()) {
    Job job = backlog_.front();
    backlog_.pop_front();
    Client* client = free_.front();
    free_.pop_front();
    job.number = started_++;
    client->start(job);
  }
  results_.backlog_max = std::max<std::uint64_t>(results_.backlog_max, backlog_.size());
}

// Gives work to the clients that became free in this turn; never from within one of them.
void Driver::dispatch() {
  std::vector<Client*> freed;
  freed.swap(freed_);
  for (Client* client : freed) {
    if (options_.rate > 0) {
      free_.push_back(client);
    } else if (!options_.idle && phase_ != Phase::kDrain) {
      client->start({.number = started_++, .start = loop_.now()});
    }
  }
  if (options_.rate > 0) dispatch_due();
}

void Driver::on_phase() {
  if (phase_ == Phase::kBefore) {
    begin_window();
  } else {
    end_window();
  }
}

void Driver::begin_window() {
  phase_ = Phase::kWindow;
  context_.in_window = true;
  window_begin_ = read_clock();
  window_end_ = window_begin_ + options_.window;
  for (ProcessUse& use : results_.processes) use.cpu_ns = cpu_ns_of(use.pid);
  for (const int core : options_.cores) ticks_.push_back(ticks_of_core(core));
  own_cpu_ = cpu_ns_of(getpid());
  loop_.agenda().set(phase_alarm_, window_end_);
}

void Driver::end_window() {
  phase_ = Phase::kDrain;
  context_.in_window = false;
  results_.window_s = (read_clock() - window_begin_).seconds();
  for (ProcessUse& use : results_.processes) use.cpu_ns = cpu_ns_of(use.pid) - use.cpu_ns;
  for (std::size_t i = 0; i < options_.cores.size(); ++i) {
    const CoreTicks now = ticks_of_core(options_.cores[i]);
    const std::uint64_t all = std::max<std::uint64_t>(1, now.all - ticks_[i].all);
    const auto busy = static_cast<double>(now.busy - ticks_[i].busy);
    results_.cores.push_back({options_.cores[i], busy / static_cast<double>(all)});
  }
  results_.own_cpu_ns = cpu_ns_of(getpid()) - own_cpu_;
  for (ProcessUse& use : results_.processes) use.after = memory_of(use.pid);
  for (const auto& client : clients_) results_.open_connections += client->is_open();
}

}  // namespace leat::tools
