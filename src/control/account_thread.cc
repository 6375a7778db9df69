// SPDX-License-Identifier: Apache-2.0
#include "control/account_thread.h"

#include "base/check.h"
#include "control/ledger_usage.h"
#include "gateway/configured_keys.h"

namespace leat::control {

namespace {

std::vector<gateway::KeyEntry> keys_beside(const AccountReload& configuration) {
  if (configuration.options == nullptr) return {};
  return gateway::configured_keys(*configuration.options, *configuration.catalogue);
}

// Whether the key at that place has the limits that it had.
bool had_limits(const Options* before, std::size_t place, const ClientKey& now) {
  if (before == nullptr || place >= before->keys.size()) return false;
  const ClientKey& then = before->keys[place];
  return !then.is_removed && then.limits == now.limits;
}

}  // namespace

StoreResult<std::unique_ptr<AccountThread>> AccountThread::start(const AccountSetup& setup,
                                                                 io::Waker& waker) {
  auto store = AccountStore::open(setup.store_file, setup.now.unix_seconds());
  if (!store) return std::unexpected(store.error());
  std::unique_ptr<AccountThread> made(new AccountThread(std::move(*store), setup, waker));
  if (const auto loaded = made->publisher_.load(); !loaded) {
    return std::unexpected(loaded.error());
  }
  if (setup.restore != nullptr) {
    if (const auto told = setup.restore->add(*made->store_); !told) {
      return std::unexpected(told.error());
    }
  }
  made->first_ = made->publisher_.table().whole();
  made->first_fault_ = made->publisher_.take_fault();
  made->thread_ = std::thread([raw = made.get()] { raw->run(); });
  return made;
}

AccountThread::AccountThread(std::unique_ptr<AccountStore> store, const AccountSetup& setup,
                             io::Waker& waker)
    : store_(std::move(store)),
      management_(*store_, *setup.usage, setup.master, setup.options, setup.ledger),
      publisher_(*store_, *setup.catalogue,
                 keys_beside({.catalogue = setup.catalogue, .options = setup.options, .owner = {}}),
                 setup.master),
      configuration_{.catalogue = setup.catalogue, .options = setup.options, .owner = {}},
      ledger_(setup.ledger),
      late_(setup.late),
      waker_(waker) {}

// One permit more than there are jobs: who finds none is to end.
AccountThread::~AccountThread() {
  if (!thread_.joinable()) return;
  work_.release();
  thread_.join();
}

bool AccountThread::post(AccountJob job) {
  if (in_flight_ == kJobsMax) return false;
  const bool is_given = jobs_.give(job);
  LEAT_CHECK(is_given);
  ++in_flight_;
  work_.release();
  return true;
}

std::optional<AccountDone> AccountThread::take() {
  auto done = answers_.take();
  if (done) --in_flight_;
  return done;
}

void AccountThread::run() {
  for (;;) {
    work_.acquire();
    const auto job = jobs_.take();
    if (!job) return;
    if (job->is_follow && ledger_ != nullptr) ledger_->follow(job->now);
    AccountDone answer = done(*job);
    if (ledger_ != nullptr && late_ != nullptr) {
      answer.late = late_->settle(ledger_->view().book().take_released());
    }
    const bool is_given = answers_.give(answer);
    LEAT_CHECK(is_given);
    waker_.wake();
  }
}

void AccountThread::use(const AccountReload& configuration) {
  publisher_.set_configuration(*configuration.catalogue, keys_beside(configuration));
  management_.set_configured(configuration.options);
  std::vector<std::string> names;
  for (const ClientKey& key : configuration.options->keys) names.push_back(key.name);
  if (ledger_ != nullptr) ledger_->view().book().set_names(AccountNames(std::move(names)));
}

// All keys anew, and what had been used of limits that are new. If the store cannot be read, all
// stays as it was.
AccountDone AccountThread::reload(const AccountJob& job) {
  AccountDone done{.ticket = job.ticket, .is_reload = true};
  use(*job.reload);
  if (const auto loaded = publisher_.load(); !loaded) {
    done.fault = loaded.error().text;
    use(configuration_);
    if (const auto again = publisher_.load(); !again) {
      done.fault = again.error().text;
      is_behind_ = true;
    }
    return done;
  }
  done.delta = publisher_.table().whole();
  done.fault = publisher_.take_fault();
  if (ledger_ != nullptr) {
    QuantityRestore restore(ledger_->up_to_date(job.now).book(),
                            {.now = job.now, .version = done.delta.version});
    policy::Organisation organisation;
    organisation.id = gateway::kConfiguredOrganisation;
    const Options& options = *job.reload->options;
    for (std::size_t i = 0; i < options.keys.size(); ++i) {
      const ClientKey& key = options.keys[i];
      if (key.is_removed || had_limits(configuration_.options, i, key)) continue;
      restore.add(gateway::configured_key(options, i), nullptr, organisation);
    }
    done.delta.used = restore.take();
  }
  configuration_ = *job.reload;
  return done;
}

AccountDone AccountThread::done(const AccountJob& job) {
  if (job.reload != nullptr) return reload(job);
  AccountDone done{.ticket = job.ticket};
  if (job.is_follow) {
    if (is_behind_) tell_changes(job.now, done);
    return done;
  }
  done.answer = management_.handle({.method = job.method,
                                    .path = job.path,
                                    .query = job.query,
                                    .body = job.body,
                                    .actor = job.actor,
                                    .organisation = job.organisation},
                                   job.now);
  tell_changes(job.now, done);
  return done;
}

// What the store could not tell when it changed is told when it can, with a later job.
void AccountThread::tell_changes(WallTime now, AccountDone& done) {
  for (const AccountChange& change : store_->take_changes()) changes_.push_back(change);
  if (changes_.empty() && !is_behind_) return;
  const bool was_behind = is_behind_;
  auto delta = delta_of_changes(now);
  if (!delta) is_behind_ = true;
  if (!delta && !was_behind) delta = delta_of_changes(now);
  if (delta) {
    done.delta = std::move(*delta);
    done.fault = publisher_.take_fault();
    changes_.clear();
    is_behind_ = false;
  } else if (!was_behind) {
    done.fault = "keys are out of date until the store can be read: " + delta.error().text;
  }
}

// With it, of limits that are set now, what was used before, as the ledger tells it.
StoreResult<gateway::KeyDelta> AccountThread::delta_of_changes(WallTime now) {
  gateway::KeyDelta delta;
  if (is_behind_) {
    if (const auto loaded = publisher_.load(); !loaded) return std::unexpected(loaded.error());
    delta = publisher_.table().whole();
  } else {
    auto followed = publisher_.follow(changes_);
    if (!followed) return followed;
    delta = std::move(*followed);
  }
  if (ledger_ == nullptr || delta.is_empty()) return delta;
  QuantityRestore restore(ledger_->up_to_date(now).book(), {.now = now, .version = delta.version});
  for (const AccountChange& change : changes_) {
    if (const auto done = restore.add(*store_, change); !done) {
      return std::unexpected(done.error());
    }
  }
  delta.used = restore.take();
  return delta;
}

}  // namespace leat::control
