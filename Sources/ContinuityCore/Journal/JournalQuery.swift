/// Which entries of a journal are asked for.
package struct JournalQuery: Hashable, Sendable {
    /// Those with a higher number.
    package var after: Int64
    /// At most so many of those that fit.
    package var limit: Int
    /// `nil`: of all kinds.
    package var kind: String?
    /// Empty: of all clusters, and of none.
    package var clusters: Set<ClusterID>
    /// The last ones that fit, instead of the first. They come in order all the same.
    package var isNewest: Bool

    package init(
        after: Int64 = 0, limit: Int, kind: String? = nil, clusters: Set<ClusterID> = [],
        isNewest: Bool = false
    ) {
        self.after = after
        self.limit = limit
        self.kind = kind
        self.clusters = clusters
        self.isNewest = isNewest
    }
}
