// SPDX-License-Identifier: Apache-2.0
#include "app/account_keeper.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "control/management_parts.h"
#include "gateway/configured_keys.h"
#include "gateway/owned_message.h"
#include "tls/digest.h"

namespace leat::app {

namespace {

constexpr Duration kFollowEach = seconds(1);
// A shard with a full mailbox reads it within a turn.
constexpr Duration kRetryAfter = milliseconds(2);
// A database that goes with the process (SQLite's name for it).
constexpr const char* kInMemory = ":memory:";

std::string path_of(gateway::AccountTopic topic) {
  switch (topic) {
    case gateway::AccountTopic::kKey:
      return "/key";
    case gateway::AccountTopic::kCredits:
      return "/credits";
    case gateway::AccountTopic::kGeneration:
      return "/generation";
  }
  return {};
}

}  // namespace

AccountKeeper::Bell::Bell() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  LEAT_CHECK(fd_ >= 0);
}

AccountKeeper::Bell::~Bell() {
  close(fd_);
}

void AccountKeeper::Bell::wake() {
  const std::uint64_t one = 1;
  // It can fail only where it rings already.
  [[maybe_unused]] const auto written = write(fd_, &one, sizeof one);
}

void AccountKeeper::Bell::clear() {
  std::uint64_t rung;
  [[maybe_unused]] const auto got = read(fd_, &rung, sizeof rung);
}

AccountKeeper::AccountKeeper(shard::Shard& control, const Configurations& configurations,
                             const std::vector<std::unique_ptr<ShardThread>>& threads)
    : control_(control), configurations_(configurations), threads_(threads) {}

AccountKeeper::~AccountKeeper() {
  stop();
}

std::string AccountKeeper::start(const AccountSecrets& secrets, control::LedgerKeeper* ledger) {
  const Options& options = this->options();
  std::optional<control::QuantityRestore> restore;
  if (ledger != nullptr) {
    records_ = std::make_unique<control::LedgerUsage>(
        ledger->take_view(), seconds(std::int64_t{options.ledger.retention_days} * 86'400));
    restore.emplace(records_->view().book(), control::QuantityRestore::Options{
                                                 .now = control_.io().wall_now(),
                                                 .until = latest_end(),
                                                 .lost = &ledger->lost(),
                                                 // What a crash left open is settled below.
                                                 .late = ledger->has_live() ? &late_ : nullptr});
    restore_configured(*restore);
  }
  control::AccountSetup setup;
  setup.store_file = is_open() ? options.accounts.store_file : kInMemory;
  setup.catalogue = &configurations_.current().catalogue();
  setup.usage =
      records_ != nullptr ? static_cast<const control::UsageSource*>(records_.get()) : &no_usage_;
  setup.ledger = records_.get();
  setup.restore = restore ? &*restore : nullptr;
  setup.late = &late_;
  setup.master = secrets.master;
  setup.options = &options;
  setup.now = control_.io().wall_now();
  auto thread = control::AccountThread::start(setup, bell_);
  if (!thread) return options.accounts.store_file + ": " + thread.error().text;
  thread_ = std::move(*thread);
  const std::string& fault = thread_->first_fault();
  if (!fault.empty()) std::fprintf(stderr, "leat: %s\n", fault.c_str());
  if (restore) restored_ = restore->take();
  if (ledger != nullptr) {
    if (std::string lost = ledger->keep_lost(); !lost.empty()) return lost;
  }
  if (ledger == nullptr || !ledger->has_live()) {
    control::settle_open(restored_, options.ledger.charge_ambiguous);
  }
  keys_.apply(thread_->first());
  operator_key_ = secrets.operator_key;
  control_.io().poll_start(bell_.fd(), POLLIN, *this);
  if (records_ != nullptr) on_follow();
  return {};
}

// When whatever runs now has ended, in this process or in one that we take over from.
Instant AccountKeeper::latest_end() const {
  return control_.now() + configurations_.current().snapshot().request_max() + gateway::kSettleTime;
}

void AccountKeeper::restore_configured(control::QuantityRestore& restore) const {
  policy::Organisation organisation;
  organisation.id = gateway::kConfiguredOrganisation;
  for (std::size_t i = 0; i < options().keys.size(); ++i) {
    restore.add(gateway::configured_key(options(), i), nullptr, organisation);
  }
}

void AccountKeeper::stop() {
  if (thread_ == nullptr) return;
  control_.io().poll_stop(bell_.fd(), *this);
  control_.wheel().cancel(retry_timer_);
  control_.wheel().cancel(follow_timer_);
  thread_.reset();
  if (records_ != nullptr && !is_paused_) records_->finish(control_.io().wall_now());
  waiting_.clear();
  news_.clear();
  reloaded_ = nullptr;
}

bool AccountKeeper::is_open() const {
  return !options().accounts.store_file.empty();
}

std::optional<control::ManagementActor> AccountKeeper::actor_of(std::string_view shown) const {
  const gateway::KeyDigest digest = tls::sha256(shown);
  const bool is_operator = operator_key_ && tls::equal_constant_time(digest, *operator_key_);
  const auto found = keys_.look_up(digest, policy::KeyScope::kManagement, control_.io().wall_now());
  if (is_operator) return control::ManagementActor{.is_operator = true};
  if (found.fault != gateway::KeyFault::kNone) return std::nullopt;
  return control::ManagementActor{.organisation = found.key->organisation, .key = digest};
}

std::uint64_t AccountKeeper::ask(control::AccountJob job, Then then) {
  if (thread_ == nullptr || is_paused_) return 0;
  job.ticket = last_ticket_ + 1;
  job.now = control_.io().wall_now();
  if (!thread_->post(std::move(job))) return 0;
  waiting_.emplace(++last_ticket_, std::move(then));
  return last_ticket_;
}

// So that who asks finds most of it read. One at a time: a slow disk must not fill the queue.
void AccountKeeper::on_follow() {
  if (!is_following_) {
    control::AccountJob job;
    job.is_follow = true;
    const auto then = [this](const control::ManagementAnswer&) { is_following_ = false; };
    is_following_ = ask(std::move(job), then) != 0;
  }
  control_.wheel().set(follow_timer_, control_.now() + kFollowEach);
}

void AccountKeeper::on_poll(int, int) {
  bell_.clear();
  take_answers();
  control_.io().poll_start(bell_.fd(), POLLIN, *this);
}

// The shards hear of a change before who made it does.
void AccountKeeper::take_answers() {
  while (auto done = thread_->take()) {
    if (!done->fault.empty()) std::fprintf(stderr, "leat: %s\n", done->fault.c_str());
    if (done->is_reload) {
      take_reload(*done);
      continue;
    }
    if (!done->delta.is_empty()) {
      keys_.apply(done->delta);
      news_.tell(done->delta);
    }
    if (!done->late.empty()) news_.settle(done->late);
    tell_news();
    if (auto waits = waiting_.extract(done->ticket)) waits.mapped()(done->answer);
  }
}

bool AccountKeeper::reload(std::shared_ptr<const control::AccountReload> configuration,
                           Reloaded then) {
  control::AccountJob job;
  job.reload = std::move(configuration);
  if (ask(std::move(job), [](const control::ManagementAnswer&) {}) == 0) return false;
  reloaded_ = std::move(then);
  return true;
}

void AccountKeeper::take_reload(control::AccountDone& done) {
  waiting_.erase(done.ticket);
  const Reloaded then = std::exchange(reloaded_, nullptr);
  if (!done.late.empty()) news_.settle(done.late);
  if (!done.delta.is_empty()) {
    keys_.apply(done.delta);
    news_.serve(done.delta);
  }
  tell_news();
  then(done.delta.is_empty() ? done.fault : std::string());
}

void AccountKeeper::take(const shard::Message& message) {
  const auto question = gateway::owned_of<gateway::AccountQuestion>(message);
  if (thread_ == nullptr) return;  // its shard has ended too
  control::AccountJob job;
  job.method = "GET";
  job.path = path_of(question->topic);
  job.query = std::move(question->query);
  job.actor = {.organisation = question->organisation, .key = question->key};
  const auto then = [this, shard = question->shard,
                     ticket = question->ticket](const control::ManagementAnswer& answer) {
    news_.reply(shard, {ticket, answer.status, answer.body});
    tell_news();
  };
  if (ask(std::move(job), then) == 0) then(control::refusal(503, "Try again in a moment."));
}

void AccountKeeper::tell_news() {
  if (!news_.deliver()) control_.wheel().set(retry_timer_, control_.now() + kRetryAfter);
}

}  // namespace leat::app
