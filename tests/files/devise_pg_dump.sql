--
-- PostgreSQL database dump
--

SET client_encoding = 'UTF8';

--
-- Data for Name: users; Type: TABLE DATA; Schema: public; Owner: rails
--

COPY public.users (id, email, encrypted_password, reset_password_token, reset_password_sent_at, remember_created_at, created_at, updated_at, first_name, last_name, bio) FROM stdin;
1	maren0@mail.example.com	$2a$04$5Op0wdRJfCphYAFKC5Bcu.t27nhaCGOxAKsZj6eFPvuFi2RHgfTsC	\N	\N	\N	2022-03-01 23:47:19.055466	2022-03-01 23:47:19.055466	Maren	Öhlund	\N
2	tadeusz1@mail.example.com	$2a$04$5Op0wdRJfCphYAFKC5Bcu.t27nhaCGOxAKsZj6eFPvuFi2RHgfTsC	\N	\N	\N	2022-03-01 23:47:19.055466	2022-03-01 23:47:19.055466	Tadeusz	Żórawski	likes\ttabs\nand lines
