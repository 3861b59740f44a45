"""Ground floor: files, folders, threads and numbers, without any knowledge of faces."""
