FROM debian-system
