package sqlite_test

func fillDisk(string, int64) error { return nil }
