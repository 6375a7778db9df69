// SPDX-License-Identifier: Apache-2.0
// Dial: the opening of one stream to a provider. Connector is the one over the network: resolve,
// try each address in turn, TLS handshake, each step with its own time limit.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/resolver.h"
#include "net/tcp_stream.h"

namespace leat::net {

// Where a provider is. Immutable, outlives its connectors.
struct Origin {
  std::string host;  // a name or an IP literal
  std::uint16_t port = 443;
  tls::ClientContext* tls = nullptr;  // null: plain
  // Without it, loopback and private addresses are refused at connect time, whatever the name said
  // (no rebinding; threats-and-faults.md 3.4 "provider base URL").
  bool allow_private = false;
};

struct ConnectLimits {
  Duration resolve = seconds(2);
  Duration connect = seconds(3);    // for each address
  Duration handshake = seconds(5);  // for each address
};

class DialSink {
 public:
  // The stream is open and belongs to the sink, which sets itself as its user at once. Or: no
  // address worked; the error is the last one's. The dial may be destroyed inside this call's
  // deferred work, not in the call itself.
  virtual void on_dialed(class Dial& dial, Result<Stream*> stream) = 0;

 protected:
  ~DialSink() = default;
};

// Destroying it cancels it.
class Dial {
 public:
  virtual ~Dial() = default;
  // Called once; on_dialed() follows once, never from inside.
  virtual void start(DialSink& sink) = 0;
  // Whether it has come so far that giving it up would waste a handshake.
  virtual bool has_connection() const { return true; }
};

// Makes the dials of one provider.
class Dialer {
 public:
  virtual ~Dialer() = default;
  virtual std::unique_ptr<Dial> new_dial() = 0;
};

class Connector final : public Dial, private StreamUser, private ResolveRequest {
 public:
  // All references outlive the connector.
  Connector(shard::Shard& shard, TcpStreams& streams, Resolver& resolver, const Origin& origin,
            const ConnectLimits& limits)
      : shard_(shard), streams_(streams), resolver_(resolver), origin_(origin), limits_(limits) {}
  ~Connector() override;

  void start(DialSink& sink) override;
  bool has_connection() const override { return has_connection_; }

 private:
  void on_resolved(const Result<std::span<const io::Address>>& addresses) override;
  void on_connected() override;
  void on_open() override;
  void on_end(const Error& why) override;
  void on_bytes(std::span<char>) override {}
  void on_block_bytes(std::size_t) override {}
  void on_drained() override {}

  void try_next();
  // The step that begins now has this time; `slow`: the error's text when it is over.
  void limit_step(Duration time, const char* slow);
  void on_timeout();
  void done(Result<Stream*> result);

  shard::Shard& shard_;
  TcpStreams& streams_;
  Resolver& resolver_;
  const Origin& origin_;
  const ConnectLimits limits_;
  DialSink* sink_ = nullptr;
  std::vector<io::Address> addresses_;
  std::size_t next_address_ = 0;
  TcpStream* stream_ = nullptr;  // being opened
  const char* slow_ = nullptr;   // of the step under way
  Error last_error_;
  bool has_connection_ = false;  // of any address
  Timer timer_{timer_callback<&Connector::on_timeout>, this};
};

class TcpDialer final : public Dialer {
 public:
  TcpDialer(shard::Shard& shard, TcpStreams& streams, Resolver& resolver, Origin origin,
            const ConnectLimits& limits)
      : shard_(shard),
        streams_(streams),
        resolver_(resolver),
        origin_(std::move(origin)),
        limits_(limits) {}
  std::unique_ptr<Dial> new_dial() override {
    return std::make_unique<Connector>(shard_, streams_, resolver_, origin_, limits_);
  }

 private:
  shard::Shard& shard_;
  TcpStreams& streams_;
  Resolver& resolver_;
  const Origin origin_;
  const ConnectLimits limits_;
};

}  // namespace leat::net
