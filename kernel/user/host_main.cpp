// SPDX-License-Identifier: MIT
// exo-host: the kernel in a Linux process.
#include <host/machine.hpp>
#include <user/host_programs.hpp>

int main(int argc, char** argv) {
    user::register_host_programs();
    return hal::host_main(argc, argv);
}
