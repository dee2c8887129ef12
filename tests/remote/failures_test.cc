// The server is killed, stopped or restarted while a heap uses it.
