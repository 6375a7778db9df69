// SPDX-License-Identifier: Apache-2.0
// FakeDialer: dials that open, or fail, when the test says so.
#pragma once

#include <memory>
#include <vector>

#include "net/connector.h"

namespace leat::net {

class FakeDial final : public Dial {
 public:
  void start(DialSink& sink) override { sink_ = &sink; }
  bool has_connection() const override { return is_connected; }
  bool is_connected = true;
  void open(Stream& stream) { sink_->on_dialed(*this, &stream); }
  void fail_with(Code code) { sink_->on_dialed(*this, leat::fail({.code = code})); }

 private:
  DialSink* sink_ = nullptr;
};

class FakeDialer final : public Dialer {
 public:
  std::vector<FakeDial*> dials;  // owned by the pool

  std::unique_ptr<Dial> new_dial() override {
    auto dial = std::make_unique<FakeDial>();
    dials.push_back(dial.get());
    return dial;
  }
};

}  // namespace leat::net
