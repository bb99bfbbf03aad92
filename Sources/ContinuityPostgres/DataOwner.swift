import Glibc

/// Whom the data belongs to: as that user the socket takes us without a password.
struct DataOwner {
    let uid: uid_t
    let gid: gid_t
    let name: String

    init(of path: String) throws(PostgresError) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw PostgresError("\(path): \(String(cString: strerror(errno)))")
        }
        guard let entry = getpwuid(status.st_uid) else {
            throw PostgresError("\(path) belongs to user \(status.st_uid), who has no name")
        }
        (uid, gid, name) = (status.st_uid, status.st_gid, String(cString: entry.pointee.pw_name))
    }

    /// For good: nothing that follows needs more rights.
    func become() throws(PostgresError) {
        guard geteuid() == 0, uid != 0 else { return }
        guard initgroups(name, gid) == 0, setgid(gid) == 0, setuid(uid) == 0 else {
            throw PostgresError("cannot become \(name): \(String(cString: strerror(errno)))")
        }
    }
}
