#!/usr/bin/env escript
%% -*- erlang -*-
%%! -noshell
%% A peer for SOL in one process: the same messages between two Erlang processes in one VM, on two
%% schedulers. A message is its number and a binary of 100 bytes, which the VM passes by reference while
%% SOL copies it: that is its own way, and twice as fast. Number and content are checked. The sink
%% gives credit back for 1,024 messages at a time, for a mailbox has no bound. Compiled, not interpreted.
-mode(compile).

-define(KINDS, 128).
-define(BYTES, 100).
-define(CREDIT, 1024).
-define(IN_FLIGHT, 8). % credits out at the start

main(Arguments) ->
    Seconds = seconds(Arguments),
    _ = erlang:system_flag(schedulers_online, min(2, erlang:system_info(schedulers))),
    Bodies = list_to_tuple([body(Kind) || Kind <- lists:seq(1, ?KINDS)]),
    Self = self(),
    Sink = spawn_link(fun() -> sink(Self, Bodies, 0) end),
    Deadline = erlang:monotonic_time(millisecond) + round(Seconds * 1000),
    _ = erlang:statistics(runtime),
    Begin = erlang:monotonic_time(nanosecond),
    Source = spawn_link(fun() -> source(Sink, Bodies, 0, Deadline) end),
    Sink ! {source, Source},
    receive {done, Received} -> ok end,
    Wall = erlang:monotonic_time(nanosecond) - Begin,
    {_, CpuMs} = erlang:statistics(runtime),
    io:format("{\"name\":\"erlang\",\"version\":\"Erlang ~s\",\"messages\":~b,\"seconds\":~.6f,\"rate_msgs_per_s\":~.1f,"
              "\"cpu_ns_per_msg\":~.3f}~n",
              [erlang:system_info(otp_release), Received, Wall / 1.0e9, Received * 1.0e9 / Wall, CpuMs * 1.0e6 / Received]).

seconds(["--seconds", Text]) ->
    case string:to_float(Text) of
        {error, _} -> float(list_to_integer(Text));
        {Seconds, _} -> Seconds
    end;
seconds([]) -> 1.0.

body(Kind) -> << <<($0 + (Kind * 7 + At) rem 10)>> || At <- lists:seq(1, ?BYTES) >>.

send(_, _, Sequence, 0) -> Sequence;
send(Sink, Bodies, Sequence, Left) ->
    Sink ! {Sequence, element(Sequence rem ?KINDS + 1, Bodies)},
    send(Sink, Bodies, Sequence + 1, Left - 1).

source(Sink, Bodies, 0, Deadline) ->
    source_go(Sink, Bodies, send(Sink, Bodies, 0, ?CREDIT * ?IN_FLIGHT), Deadline).

source_go(Sink, Bodies, Sequence, Deadline) ->
    receive credit -> ok end,
    case erlang:monotonic_time(millisecond) < Deadline of
        true -> source_go(Sink, Bodies, send(Sink, Bodies, Sequence, ?CREDIT), Deadline);
        false -> Sink ! {finish, Sequence}
    end.

sink(Owner, Bodies, 0) ->
    receive {source, Source} -> sink_go(Owner, Bodies, Source, 0) end.

sink_go(Owner, Bodies, Source, Sequence) ->
    receive
        {Sequence, Body} ->
            Body = element(Sequence rem ?KINDS + 1, Bodies),
            Next = Sequence + 1,
            Next rem ?CREDIT =:= 0 andalso (Source ! credit),
            sink_go(Owner, Bodies, Source, Next);
        {finish, Sequence} ->
            Owner ! {done, Sequence}
    end.
