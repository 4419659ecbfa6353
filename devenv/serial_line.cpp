// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <devenv/exit_status.hpp>
#include <devenv/serial_line.hpp>

namespace devenv {

namespace {

struct Baud {
    unsigned rate;
    speed_t code;
};
constexpr std::array bauds = {Baud{9600, B9600},     Baud{19200, B19200},   Baud{38400, B38400},
                              Baud{57600, B57600},   Baud{115200, B115200}, Baud{230400, B230400},
                              Baud{460800, B460800}, Baud{921600, B921600}};

speed_t code_of(unsigned rate) {
    for (const Baud& baud : bauds)
        if (baud.rate == rate) return baud.code;
    throw Failure(Exit::usage, "--baud " + std::to_string(rate) + ": no rate of a serial line; 115200 is the kernel's");
}

[[noreturn]] void fail(const std::string& path, int error) {
    switch (error) {
        case EISDIR:
        case ENOTTY:
            throw Failure(Exit::usage, path + ": is no terminal device, so no serial line");
        case ENOENT:
        case ENXIO:
        case ENODEV:
            throw Failure(Exit::usage,
                          path + ": there is no such device; 'ls /dev/ttyUSB* /dev/ttyS*' shows those there are");
        case EACCES:
        case EPERM:
            throw Failure(Exit::usage, path + ": permission denied; join its group ('ls -l " + path +
                                           "' names it, dialout as a rule) and log in again");
        case EBUSY:
        case EWOULDBLOCK:
            throw Failure(Exit::missing, path + ": in use by another program; end that one first");
        default:
            throw Failure(Exit::missing, path + ": cannot be opened: " + std::strerror(error));
    }
}

void make_raw(int descriptor, speed_t speed) {
    termios settings{};
    if (tcgetattr(descriptor, &settings) != 0) return;
    cfmakeraw(&settings);
    settings.c_cflag |= CLOCAL | CREAD;  // no modem, and we do read
    settings.c_cflag &= ~tcflag_t(CSTOPB | CRTSCTS);
    cfsetispeed(&settings, speed);
    cfsetospeed(&settings, speed);
    tcsetattr(descriptor, TCSANOW, &settings);
}

}  // namespace

std::vector<unsigned> known_bauds() {
    std::vector<unsigned> rates;
    for (const Baud& baud : bauds) rates.push_back(baud.rate);
    return rates;
}

SerialLine SerialLine::device(const std::string& path, unsigned baud) {
    const speed_t speed = code_of(baud);
    SerialLine line;
    line.name_ = path;
    line.line_ = sim::Descriptor(open(path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    if (!line.line_.open()) fail(path, errno);
    termios before{};
    if (tcgetattr(line.line_.get(), &before) != 0) fail(path, ENOTTY);
    if (flock(line.line_.get(), LOCK_EX | LOCK_NB) != 0) fail(path, EBUSY);
    ioctl(line.line_.get(), TIOCEXCL);
    line.settings_before_ = before;
    make_raw(line.line_.get(), speed);
    return line;
}

SerialLine SerialLine::pseudo_terminal() {
    SerialLine line;
    line.line_ = sim::Descriptor(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    std::array<char, 128> name{};
    if (!line.line_.open() || grantpt(line.line_.get()) != 0 || unlockpt(line.line_.get()) != 0 ||
        ptsname_r(line.line_.get(), name.data(), name.size()) != 0)
        throw Failure(Exit::missing, std::string("no pseudo-terminal is to be had: ") + std::strerror(errno));
    line.name_ = name.data();
    line.other_side_ = sim::Descriptor(open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (line.other_side_.open()) make_raw(line.other_side_.get(), B115200);
    fcntl(line.line_.get(), F_SETFL, O_NONBLOCK);
    return line;
}

SerialLine::~SerialLine() {
    if (!line_.open() || !settings_before_) return;
    tcsetattr(line_.get(), TCSANOW, &*settings_before_);
    ioctl(line_.get(), TIOCNXCL);
}

SerialLine::Read SerialLine::read(std::string& bytes, int wait_ms) {
    pollfd polled{line_.get(), POLLIN, 0};
    if (poll(&polled, 1, wait_ms) <= 0) return Read::nothing;
    bytes.resize(16384);
    const ssize_t count = ::read(line_.get(), bytes.data(), bytes.size());
    if (count > 0) {
        bytes.resize(static_cast<std::size_t>(count));
        other_side_.close();
        return Read::data;
    }
    return count < 0 && (errno == EAGAIN || errno == EINTR) ? Read::nothing : Read::gone;
}

}  // namespace devenv
