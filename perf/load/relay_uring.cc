// SPDX-License-Identifier: Apache-2.0
// The limit probe, io_uring form: as relay_epoll, with multishot receives into a ring of buffers
// and sends straight from these buffers, one enter a turn.
//
//   relay_uring LISTEN_PORT SERVER_PORT      (both on 127.0.0.1)
#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

namespace {

constexpr unsigned kBuffers = 4096;             // a power of two, as the ring wants it
constexpr std::size_t kBufferSize = 16 * 1024;  // smaller ones make large bodies dear
constexpr int kGroup = 0;
constexpr std::uint64_t kAccept =
    0;  // user_data; else an End's address, the low bit set for a send
constexpr std::uint64_t kSendBit = 1;

struct Pair;

// Received bytes on their way out, still in the buffer they came in.
struct Piece {
  unsigned short buffer = 0;
  std::uint32_t from = 0;
  std::uint32_t size = 0;
};

// One socket of a pair.
struct End {
  int fd = -1;
  Pair* pair = nullptr;
  End* other = nullptr;
  std::deque<Piece> unsent;  // to this socket; the first is under way
  bool receiving = false;
};

struct Pair {
  End client;
  End server;
  bool open = true;
  int under_way = 0;  // operations that will still complete
};

[[noreturn]] void die(const char* what, int error) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(error));
  std::exit(1);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

class Relay {
 public:
  Relay(std::uint16_t listen_port, std::uint16_t server_port);
  [[noreturn]] void run();

 private:
  io_uring_sqe* sqe();
  void add_buffer(unsigned short index);
  void make_buffers();
  void arm_accept();
  void arm_receive(End& end);
  void send_first(End& end);
  void take_in(int client);
  void complete(const io_uring_cqe& cqe);
  void on_received(End& end, const io_uring_cqe& cqe);
  void on_sent(End& end, int result);
  void hang_up(Pair& pair);
  void release(Pair& pair);

  io_uring ring_{};
  io_uring_buf_ring* buffers_ = nullptr;
  std::unique_ptr<char[]> memory_{new char[kBuffers * kBufferSize]};
  int added_ = 0;
  int listener_ = -1;
  sockaddr_in server_;
  std::vector<End*> starved_;  // met an empty buffer ring
};

Relay::Relay(std::uint16_t listen_port, std::uint16_t server_port)
    : server_(loopback(server_port)) {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
  params.cq_entries = 65536;
  const int error = io_uring_queue_init_params(4096, &ring_, &params);
  if (error < 0) die("io_uring_queue_init_params", -error);
  make_buffers();
  listener_ = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = loopback(listen_port);
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    die("bind", errno);
  }
  if (listen(listener_, 16384) != 0) die("listen", errno);
  arm_accept();
}

void Relay::make_buffers() {
  const std::size_t size = kBuffers * sizeof(io_uring_buf);
  void* entries = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  if (entries == MAP_FAILED) die("mmap", errno);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(entries);
  registration.ring_entries = kBuffers;
  registration.bgid = kGroup;
  const int error = io_uring_register_buf_ring(&ring_, &registration, 0);
  if (error < 0) die("io_uring_register_buf_ring", -error);
  buffers_ = static_cast<io_uring_buf_ring*>(entries);
  io_uring_buf_ring_init(buffers_);
  for (unsigned i = 0; i < kBuffers; ++i) add_buffer(static_cast<unsigned short>(i));
}

void Relay::add_buffer(unsigned short index) {
  io_uring_buf_ring_add(buffers_, memory_.get() + index * kBufferSize, kBufferSize, index,
                        io_uring_buf_ring_mask(kBuffers), added_++);
}

io_uring_sqe* Relay::sqe() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  if (entry != nullptr) return entry;
  io_uring_submit(&ring_);
  return io_uring_get_sqe(&ring_);
}

void Relay::arm_accept() {
  io_uring_sqe* entry = sqe();
  io_uring_prep_multishot_accept(entry, listener_, nullptr, nullptr, 0);
  io_uring_sqe_set_data64(entry, kAccept);
}

void Relay::arm_receive(End& end) {
  io_uring_sqe* entry = sqe();
  io_uring_prep_recv_multishot(entry, end.fd, nullptr, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = kGroup;
  io_uring_sqe_set_data64(entry, reinterpret_cast<std::uintptr_t>(&end));
  end.receiving = true;
  ++end.pair->under_way;
}

void Relay::send_first(End& end) {
  const Piece& piece = end.unsent.front();
  io_uring_sqe* entry = sqe();
  io_uring_prep_send(entry, end.fd, memory_.get() + piece.buffer * kBufferSize + piece.from,
                     piece.size, MSG_NOSIGNAL | MSG_WAITALL);
  io_uring_sqe_set_data64(entry, reinterpret_cast<std::uintptr_t>(&end) | kSendBit);
  ++end.pair->under_way;
}

void Relay::take_in(int client) {
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (server < 0) die("socket", errno);
  const int on = 1;
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // On loopback the connection stands when connect returns.
  if (connect(server, reinterpret_cast<const sockaddr*>(&server_), sizeof server_) != 0 &&
      errno != EINPROGRESS) {
    die("connect", errno);
  }
  auto* pair = new Pair;
  pair->client = {.fd = client, .pair = pair, .other = &pair->server};
  pair->server = {.fd = server, .pair = pair, .other = &pair->client};
  arm_receive(pair->client);
  arm_receive(pair->server);
}

// Ends the receives; the pair goes when its last operation has completed.
void Relay::hang_up(Pair& pair) {
  if (!pair.open) return;
  pair.open = false;
  shutdown(pair.client.fd, SHUT_RDWR);
  shutdown(pair.server.fd, SHUT_RDWR);
}

void Relay::release(Pair& pair) {
  for (End* end : {&pair.client, &pair.server}) {
    for (const Piece& piece : end->unsent) add_buffer(piece.buffer);
    std::erase(starved_, end);
    close(end->fd);
  }
  delete &pair;
}

void Relay::on_received(End& end, const io_uring_cqe& cqe) {
  if ((cqe.flags & IORING_CQE_F_MORE) == 0) {
    end.receiving = false;
    --end.pair->under_way;
  }
  if (cqe.res == -ENOBUFS) {
    starved_.push_back(&end);
    return;
  }
  if (cqe.res > 0) {
    const auto buffer = static_cast<unsigned short>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
    End& to = *end.other;
    to.unsent.push_back({.buffer = buffer, .size = static_cast<std::uint32_t>(cqe.res)});
    if (to.unsent.size() == 1 && end.pair->open) send_first(to);
    if (!end.receiving && end.pair->open) arm_receive(end);
  } else {
    hang_up(*end.pair);
  }
}

void Relay::on_sent(End& end, int result) {
  --end.pair->under_way;
  Piece& piece = end.unsent.front();
  if (result < 0) {
    hang_up(*end.pair);
    return;
  }
  piece.from += static_cast<std::uint32_t>(result);
  piece.size -= static_cast<std::uint32_t>(result);
  if (piece.size == 0) {
    add_buffer(piece.buffer);
    end.unsent.pop_front();
  }
  if (!end.unsent.empty() && end.pair->open) send_first(end);
}

void Relay::complete(const io_uring_cqe& cqe) {
  if (cqe.user_data == kAccept) {
    if (cqe.res >= 0) take_in(cqe.res);
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) arm_accept();
    return;
  }
  End& end = *reinterpret_cast<End*>(cqe.user_data & ~kSendBit);
  if ((cqe.user_data & kSendBit) != 0) {
    on_sent(end, cqe.res);
  } else {
    on_received(end, cqe);
  }
  Pair& pair = *end.pair;
  if (!pair.open && pair.under_way == 0) release(pair);
}

void Relay::run() {
  while (true) {
    io_uring_submit_and_wait(&ring_, 1);
    io_uring_cqe* cqe = nullptr;
    unsigned head = 0;
    unsigned count = 0;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      complete(*cqe);
      ++count;
    }
    io_uring_cq_advance(&ring_, count);
    if (added_ == 0) continue;
    io_uring_buf_ring_advance(buffers_, added_);
    added_ = 0;
    std::vector<End*> starved;
    starved.swap(starved_);
    for (End* end : starved) {
      if (end->pair->open) arm_receive(*end);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s LISTEN_PORT SERVER_PORT\n", argv[0]);
    return 2;
  }
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  Relay relay(static_cast<std::uint16_t>(std::atoi(argv[1])),
              static_cast<std::uint16_t>(std::atoi(argv[2])));
  relay.run();
}
