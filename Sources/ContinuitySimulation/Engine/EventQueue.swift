/// What will happen, in the order of time; at the same millisecond in the order of scheduling.
struct EventQueue {
    struct Item {
        var atMs: Int64
        var order: UInt64
        var event: Event

        func isBefore(_ other: Item) -> Bool {
            atMs != other.atMs ? atMs < other.atMs : order < other.order
        }
    }

    /// A binary heap: the first item is the next one.
    private var items: [Item] = []
    private var nextOrder: UInt64 = 0

    mutating func add(_ event: Event, atMs: Int64) {
        items.append(Item(atMs: atMs, order: nextOrder, event: event))
        nextOrder += 1
        var child = items.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard items[child].isBefore(items[parent]) else { return }
            items.swapAt(child, parent)
            child = parent
        }
    }

    var nextAtMs: Int64? { items.first?.atMs }

    mutating func take() -> Item? {
        guard let first = items.first, let last = items.popLast() else { return nil }
        guard !items.isEmpty else { return first }
        items[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < items.count {
                if items[child].isBefore(items[least]) { least = child }
            }
            guard least != parent else { return first }
            items.swapAt(parent, least)
            parent = least
        }
    }
}
