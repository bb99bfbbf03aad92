import ContinuityHooks
import Synchronization

/// The packs that the server has: those in force, and those that calls already under way may
/// still name by their digest.
final class PackShelf: Sendable {
    private struct State {
        var current: [String: HookPack]
        var byDigest: [String: HookPack]
    }

    private let state: Mutex<State>

    init(_ packs: [String: HookPack]) {
        state = Mutex(State(current: packs, byDigest: Self.index(packs)))
    }

    private static func index(_ packs: [String: HookPack]) -> [String: HookPack] {
        Dictionary(packs.values.map { ($0.packSHA256, $0) }, uniquingKeysWith: { $1 })
    }

    var current: [String: HookPack] { state.withLock(\.current) }

    func pack(_ name: String, sha256: String) -> HookPack? {
        state.withLock { state in
            guard let pack = state.byDigest[sha256], pack.manifest.name == name else { return nil }
            return pack
        }
    }

    /// Before policies name the new packs: both generations can be called.
    func offer(_ packs: [String: HookPack]) {
        state.withLock { state in
            state.byDigest = Self.index(state.current).merging(Self.index(packs)) { $1 }
        }
    }

    func putInForce(_ packs: [String: HookPack]) { state.withLock { $0.current = packs } }
}
