// SPDX-License-Identifier: MIT
// The one place that knows every type of kernel object: dispatch by type, so that objects carry no table pointers.
#include <cap/object.hpp>
#include <core/process.hpp>
#include <hal/irq.hpp>
#include <ipc/endpoint.hpp>
#include <ipc/ring.hpp>

namespace exo {

void Object::destroy(Object& object) {
    switch (object.type_) {
        case ObjectType::process:
            return Process::destroy(static_cast<Process&>(object));
        case ObjectType::ring:
            return Ring::destroy(static_cast<Ring&>(object));
        case ObjectType::endpoint:
            return Endpoint::destroy(static_cast<Endpoint&>(object));
    }
}

namespace {
void changed(Object& object, std::uint32_t rights, int by) {
    switch (object.type()) {
        case ObjectType::ring:
            return static_cast<Ring&>(object).handles_changed(rights, by);
        case ObjectType::endpoint:
            return static_cast<Endpoint&>(object).handles_changed(rights, by);
        case ObjectType::process:
            return;
    }
}
}  // namespace

void Object::handle_added(std::uint32_t rights) { changed(*this, rights, +1); }
void Object::handle_removed(std::uint32_t rights) { changed(*this, rights, -1); }

}  // namespace exo
