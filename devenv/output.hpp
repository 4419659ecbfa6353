// SPDX-License-Identifier: GPL-2.0-or-later
// Standard output. Data goes here and nowhere else, so its failures are kept apart: a reader that has gone (`| head`)
// ends output quietly, anything else (a full disk) is an error that the command reports at its end.
#pragma once
#include <string>
#include <string_view>

namespace devenv {

// Puts something into each of the descriptors 0 to 2 that the caller has closed, before any file is opened: a trace
// that got the number of standard output would have the console written into it. Writing to them fails as it did.
void occupy_closed_descriptors();

class Output {
  public:
    explicit Output(int descriptor) : descriptor_(descriptor) {}
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;

    void write(std::string_view text);  // buffered; never throws
    void flush();
    bool written() const { return written_; }                // anything at all, or it was tried
    bool usable() const { return !closed_ && error_ == 0; }  // false: produce no more
    int error() const { return error_; }                     // errno of a write that failed, 0 if none

  private:
    int descriptor_;
    std::string buffer_;
    bool written_ = false;
    bool closed_ = false;  // EPIPE
    int error_ = 0;
};

Output& standard_output();

}  // namespace devenv
