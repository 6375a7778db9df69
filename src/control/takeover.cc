// SPDX-License-Identifier: Apache-2.0
#include "control/takeover.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "control/conversation_state.h"

namespace leat::control {
namespace {

// The newest first: of who takes conversations and tickets, tickets alone, neither.
constexpr std::array<std::string_view, 3> kHellos = {"leat takeover 3", "leat takeover 2",
                                                     "leat takeover 1"};
// What a hello is answered with, whichever it was.
constexpr std::string_view kWelcome = kHellos.back();
constexpr std::string_view kYield = "yield";
constexpr std::string_view kYielded = "yielded";
constexpr std::string_view kReady = "ready";
constexpr std::string_view kGo = "go";
constexpr std::string_view kTicket = "ticket ";
constexpr std::string_view kConversations = "conversations";
constexpr std::size_t kMessageMax = 256;
constexpr std::size_t kTicketMessageMax = kTicket.size() + gateway::kLentBytesMax;
// A shard is well served by one or two of each provider.
constexpr std::size_t kTicketsMax = 1'024;
// Of one message (SCM_MAX_FD): more listeners than any node has.
constexpr std::size_t kSocketsMax = 253;
// Ten million limits that count.
constexpr off_t kCarriedBytesMax = off_t{1} << 30;
// A shard waits a second at most for what it took in (gateway/succession.h).
constexpr int kAnswerMs = 10'000;
// For who waits, to read what is on its way.
constexpr int kRoomMs = 100;

Error takeover_error(const char* what, Code code = Code::kInvalid) {
  return {.code = code, .os_errno = errno, .what = what};
}

std::optional<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (path.empty() || path.size() >= sizeof address.sun_path) return std::nullopt;
  std::copy(path.begin(), path.end(), address.sun_path);
  return address;
}

bool is_of_our_user(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == geteuid() || peer.uid == 0;
}

bool send_text(int fd, std::string_view text) {
  return ::send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

// False: there is no room for it now.
bool send_ticket(int fd, const gateway::LentTicket& lent) {
  const auto written = gateway::write_lent(lent);
  if (!written) return true;
  std::string_view kind = kTicket;
  // sendmsg() reads what it is given, though the type does not say so.
  std::array<iovec, 2> parts{
      {{const_cast<char*>(kind.data()), kind.size()},
       {const_cast<std::uint8_t*>(written->bytes().data()), written->bytes().size()}}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  return ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
}

// In one message. REQUIRES: at most kSocketsMax descriptors.
bool send_with(int fd, std::string_view words, const std::vector<int>& descriptors) {
  if (descriptors.empty()) return send_text(fd, words);
  std::array<char, CMSG_SPACE(kSocketsMax * sizeof(int))> room{};
  std::string text(words);
  iovec part{.iov_base = text.data(), .iov_len = text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
  std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size() * sizeof(int));
  return ::sendmsg(fd, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

std::vector<OwnedDescriptor> descriptors_of(msghdr& message) {
  std::vector<OwnedDescriptor> all;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      all.emplace_back(fd);
    }
  }
  return all;
}

// A file that has no name, since it may be larger than any message. None: the kernel gives none.
OwnedDescriptor file_of(const char* name, std::string_view bytes) {
  OwnedDescriptor file(::memfd_create(name, MFD_CLOEXEC));
  std::size_t written = 0;
  while (file.get() >= 0 && written < bytes.size()) {
    const ssize_t got = ::write(file.get(), bytes.data() + written, bytes.size() - written);
    if (got <= 0) return OwnedDescriptor();
    written += static_cast<std::size_t>(got);
  }
  return file;
}

// Empty: it cannot be read.
std::string bytes_in(const OwnedDescriptor& file, off_t bytes_max) {
  struct stat facts;
  if (::fstat(file.get(), &facts) != 0 || facts.st_size > bytes_max) return {};
  std::string bytes(static_cast<std::size_t>(facts.st_size), '\0');
  std::size_t read = 0;
  while (read < bytes.size()) {
    const ssize_t got =
        ::pread(file.get(), bytes.data() + read, bytes.size() - read, static_cast<off_t>(read));
    if (got <= 0) return {};
    read += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace

OwnedDescriptor::OwnedDescriptor(OwnedDescriptor&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}

OwnedDescriptor& OwnedDescriptor::operator=(OwnedDescriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

OwnedDescriptor::~OwnedDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

// ---- Who serves --------------------------------------------------------------------------------

Result<OwnedDescriptor> TakeoverDoor::open(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return fail(takeover_error("the path is too long for a socket"));
  OwnedDescriptor made(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // Nobody listens there (TakeoverRequest::connect): what is left of a socket goes.
  struct stat file;
  if (::lstat(path.c_str(), &file) == 0 && S_ISSOCK(file.st_mode)) ::unlink(path.c_str());
  if (made.get() < 0 || ::fchmod(made.get(), 0600) != 0 ||
      ::bind(made.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      ::listen(made.get(), 4) != 0) {
    return fail(takeover_error("cannot make a socket at that path"));
  }
  return made;
}

TakeoverDoor::TakeoverDoor(io::Io& io, TakeoverSockets sockets, Actions actions)
    : io_(io), sockets_(std::move(sockets)), actions_(std::move(actions)) {
  io_.poll_start(sockets_.takeover, POLLIN, *this);
}

TakeoverDoor::~TakeoverDoor() {
  if (!is_over_) io_.poll_stop(sockets_.takeover, *this);
  if (peer_.get() >= 0) io_.poll_stop(peer_.get(), *this);
}

void TakeoverDoor::on_poll(int fd, int) {
  if (fd == sockets_.takeover) {
    admit();
    return io_.poll_start(sockets_.takeover, POLLIN, *this);
  }
  if (fd == peer_.get()) read_message();
}

// One at a time: a second one is hung up on.
void TakeoverDoor::admit() {
  OwnedDescriptor peer(
      ::accept4(sockets_.takeover, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (peer.get() < 0 || peer_.get() >= 0 || !is_of_our_user(peer.get())) return;
  peer_ = std::move(peer);
  io_.poll_start(peer_.get(), POLLIN, *this);
}

void TakeoverDoor::read_message() {
  std::array<char, kMessageMax> room;
  const ssize_t got = ::recv(peer_.get(), room.data(), room.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    return io_.poll_start(peer_.get(), POLLIN, *this);
  }
  if (got <= 0) return hang_up();
  const std::string_view text(room.data(), static_cast<std::size_t>(got));
  if (std::ranges::find(kHellos, text) != kHellos.end()) {
    takes_conversations_ = text == kHellos[0];
    takes_tickets_ = text != kHellos[2];
    std::vector<int> all = sockets_.listeners;
    all.push_back(sockets_.passage);
    all.push_back(sockets_.takeover);
    std::string words(kWelcome);
    words.append(sockets_.passed_to.token.data(), sockets_.passed_to.token.size());
    if (all.size() > kSocketsMax || !send_with(peer_.get(), words, all)) return hang_up();
  } else if (text == kYield && !has_yielded_) {
    has_yielded_ = true;
    actions_.yield();
  } else if (text == kReady && has_yielded_) {
    // Only who hears it serves: else both would, or none.
    if (!send_text(peer_.get(), kGo)) return hang_up();
    is_over_ = true;
    io_.poll_stop(sockets_.takeover, *this);  // it is the successor's to accept from
    actions_.pass_on();
  } else {
    return hang_up();
  }
  io_.poll_start(peer_.get(), POLLIN, *this);
}

void TakeoverDoor::hang_up() {
  peer_ = OwnedDescriptor();
  if (std::exchange(has_yielded_, false) && !is_over_) actions_.resume();
}

void TakeoverDoor::give_up() {
  if (peer_.get() >= 0) {
    io_.poll_stop(peer_.get(), *this);
    // The poll that is armed still would keep it open for a moment.
    ::shutdown(peer_.get(), SHUT_RDWR);
  }
  hang_up();
}

void TakeoverDoor::tell_yielded(LeftBehind left) {
  if (peer_.get() < 0) return;
  tell_conversations(left.conversations);
  for (std::size_t i = 0; takes_tickets_ && i < std::min(left.tickets.size(), kTicketsMax); ++i) {
    if (!send_ticket(peer_.get(), left.tickets[i])) break;
  }
  const OwnedDescriptor file = file_of("leat-limits", left.limits);
  std::vector<int> all;
  if (file.get() >= 0) all.push_back(file.get());
  if (file.get() >= 0 && left.before.size() < kSocketsMax) {
    all.insert(all.end(), left.before.begin(), left.before.end());
  }
  // It waits for nothing but this, and what it has not read yet must not keep it out.
  pollfd room{.fd = peer_.get(), .events = POLLOUT, .revents = 0};
  (void)::poll(&room, 1, kRoomMs);
  // Who does not hear it has gone, which is found by the poll.
  (void)send_with(peer_.get(), kYielded, all);
}

// First of all, while there is room; without them it begins without.
void TakeoverDoor::tell_conversations(std::string_view bytes) {
  if (!takes_conversations_ || bytes.empty()) return;
  const OwnedDescriptor file = file_of("leat-conversations", bytes);
  if (file.get() >= 0) (void)send_with(peer_.get(), kConversations, {file.get()});
}

bool TakeoverDoor::tell(std::string_view message) {
  // Who has gone is told nothing more.
  if (peer_.get() < 0 || send_text(peer_.get(), message)) return true;
  return errno != EAGAIN && errno != ENOBUFS;
}

// ---- Who starts --------------------------------------------------------------------------------

// -1: nobody listens there.
Result<OwnedDescriptor> TakeoverRequest::reach(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return fail(takeover_error("the path is too long for a socket"));
  OwnedDescriptor peer(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (peer.get() < 0) return fail(takeover_error("no socket to take over by"));
  if (::connect(peer.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) return OwnedDescriptor();
    return fail(takeover_error("cannot ask the process that listens there"));
  }
  if (!is_of_our_user(peer.get())) {
    return fail(takeover_error("the process that listens there is another user's"));
  }
  return peer;
}

Result<std::unique_ptr<TakeoverRequest>> TakeoverRequest::connect(const std::string& path) {
  for (const std::string_view hello : kHellos) {
    auto peer = reach(path);
    if (!peer) return fail(peer.error());
    if (peer->get() < 0) return nullptr;
    std::unique_ptr<TakeoverRequest> made(new TakeoverRequest(std::move(*peer)));
    const auto received = made->receive_sockets(hello);
    if (received) return made;
    if (hello == kHellos.back() || received.error().code != Code::kClosed) {
      return fail(received.error());
    }
  }
  return nullptr;
}

// The next message; without words: it has gone.
Result<TakeoverRequest::Answer> TakeoverRequest::hear() {
  Answer answer;
  answer.words.resize(kMessageMax + kTicketMessageMax);
  std::array<char, CMSG_SPACE(kSocketsMax * sizeof(int))> room;
  iovec part{.iov_base = answer.words.data(), .iov_len = answer.words.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = room.size();
  pollfd ready{.fd = peer_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&ready, 1, kAnswerMs) != 1) {
    return fail(takeover_error("the process that serves does not answer", Code::kTimedOut));
  }
  const ssize_t got = ::recvmsg(peer_.get(), &message, MSG_CMSG_CLOEXEC);
  answer.words.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got > 0) answer.descriptors = descriptors_of(message);
  return answer;
}

Result<TakeoverRequest::Answer> TakeoverRequest::ask(std::string_view words) {
  if (!send_text(peer_.get(), words)) {
    return fail(takeover_error("the process that serves does not answer", Code::kTimedOut));
  }
  return hear();
}

Result<bool> TakeoverRequest::receive_sockets(std::string_view hello) {
  auto answer = ask(hello);
  if (!answer) return fail(answer.error());
  const std::string& words = answer->words;
  if (words.size() != kWelcome.size() + token_.size() || !words.starts_with(kWelcome)) {
    return fail(takeover_error("the process that serves lets nobody take over now", Code::kClosed));
  }
  std::copy_n(words.data() + kWelcome.size(), token_.size(), token_.begin());
  sockets_ = std::move(answer->descriptors);
  if (sockets_.size() < 2) return fail(takeover_error("the process that serves gave no sockets"));
  takeover_ = std::move(sockets_.back());
  sockets_.pop_back();
  for (const OwnedDescriptor& each : sockets_) {
    if (const auto listener = io::InheritedListener::of(each.get()))
      listeners_.push_back(*listener);
  }
  if (listeners_.size() != sockets_.size()) {
    return fail(takeover_error("the process that serves gave what is no listener"));
  }
  passage_ = listeners_.back();
  listeners_.pop_back();
  return true;
}

// Whether it was one. Its bytes are wiped.
bool TakeoverRequest::take_ticket(Answer& answer) {
  if (!answer.words.starts_with(kTicket) || tickets_.size() >= kTicketsMax) return false;
  const std::span bytes(reinterpret_cast<std::uint8_t*>(answer.words.data()), answer.words.size());
  auto lent = gateway::read_lent(bytes.subspan(kTicket.size()));
  tls::Ticket::wipe(bytes);
  if (lent) tickets_.push_back(std::move(*lent));
  return true;
}

// Whether it was these.
bool TakeoverRequest::take_conversations(Answer& answer) {
  if (answer.words != kConversations || answer.descriptors.size() != 1) return false;
  conversations_ = bytes_in(answer.descriptors.front(), kConversationStateBytesMax);
  return true;
}

Result<bool> TakeoverRequest::ask(std::string_view words, std::string_view wanted, Answer& answer) {
  auto got = ask(words);
  while (got && (take_ticket(*got) || take_conversations(*got))) got = hear();
  if (!got) return fail(got.error());
  if (got->words != wanted) {
    return fail(takeover_error("the process that serves has gone, or goes on itself"));
  }
  answer = std::move(*got);
  return true;
}

Result<bool> TakeoverRequest::yield() {
  Answer answer;
  LEAT_TRY_VOID(ask(kYield, kYielded, answer));
  if (answer.descriptors.empty()) return true;
  carried_ = bytes_in(answer.descriptors.front(), kCarriedBytesMax);
  answer.descriptors.erase(answer.descriptors.begin());
  before_ = std::move(answer.descriptors);
  return true;
}

Result<bool> TakeoverRequest::ready() {
  Answer answer;
  return ask(kReady, kGo, answer);
}

std::vector<OwnedDescriptor> TakeoverRequest::take_finishing() {
  std::vector<OwnedDescriptor> all = std::exchange(before_, {});
  all.push_back(std::move(peer_));
  return all;
}

}  // namespace leat::control
