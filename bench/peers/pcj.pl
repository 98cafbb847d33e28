#!/usr/bin/perl
# POE::Component::Jabber as an XEP-0114 component, for the benchmarks.
#
#   perl pcj.pl inbound PORT WARM MEASURED FILE     FILE: one filter per line, or - for none
#   perl pcj.pl outbound PORT WARM MEASURED
use strict;
use warnings;
no warnings 'redefine';
use POE;
use POE::Component::Jabber;
use POE::Component::Jabber::Events;
use POE::Component::PubSub;
use POE::Filter::XML::Handler;
use POE::Filter::XML::Node;
use POSIX ();
use Time::HiRes qw(clock_gettime time CLOCK_PROCESS_CPUTIME_ID);

# The packaged POE::Filter::XML made these two flags read-only, and the packaged component still sets them.
for my $flag (qw(stream_start stream_end)) {
    my $class = 'POE::Filter::XML::Node';
    my ($get, $set) = ($class->can($flag), $class->can("_set_$flag"));
    no strict 'refs';
    *{"${class}::$flag"} = sub { my $node = shift; return @_ ? $node->$set($_[0]) : $node->$get };
}

# Its handler cannot go on after a reset, because the list of open elements is gone then.
my $reset = POE::Filter::XML::Handler->can('reset');
*POE::Filter::XML::Handler::reset = sub {
    my $handler = shift;
    $handler->$reset;
    $handler->meta->get_attribute('depth_stack')->set_raw_value($handler, []);
};

# A function it calls for each matched node is no longer there.
*POE::Component::Jabber::ordain = sub { $_[0] };

$| = 1;
my ($measure, $port, $warm, $measured, $file) = @ARGV;
my @filters;
if (defined $file && $file ne '-') {
    open my $lines, '<:encoding(UTF-8)', $file or die "$file: $!";
    chomp(@filters = <$lines>);
}
my ($received, $matched, $cpu, $wall) = (0, 0, 0, 0);

sub cpu { return clock_gettime(CLOCK_PROCESS_CPUTIME_ID) }

sub begin { ($cpu, $wall, $matched) = (cpu(), time, 0) }

sub finish {
    printf qq({"cpu":%.0f,"wall":%.6f,"matches":%d,"version":"%s"}\n),
        (cpu() - $cpu) * 1e6, time - $wall, $matched, "$POE::Component::Jabber::VERSION on perl $^V";
    POSIX::_exit(0);
}

sub message {
    my ($number) = @_;
    my $message = POE::Filter::XML::Node->new('message');
    $message->setAttributes(
        ['to', 'alice@example.org', 'from', 'echo.example.org', 'id', "m$number", 'type', 'chat']);
    my $body = POE::Filter::XML::Node->new('body');
    $body->appendText('hello there, how are you doing today?');
    $message->appendChild($body);
    return $message;
}

# As many as one turn of the loop may take, then the rest: the component's buffer has no bound and no drain event.
use constant BATCH => 500;

POE::Session->create(
    inline_states => {
        _start => sub {
            $_[KERNEL]->alias_set('bench');
            POE::Component::Jabber->new(
                IP => '127.0.0.1', PORT => $port, HOSTNAME => 'echo.example.org',
                USERNAME => 'echo', PASSWORD => 'secret', ALIAS => 'component', CONNECTIONTYPE => +JABBERD14_COMPONENT,
            );
            $_[KERNEL]->post('component', 'subscribe', +PCJ_NODERECEIVED, 'node');
            $_[KERNEL]->post('component', 'subscribe', +PCJ_READY, 'ready');
            $_[KERNEL]->post('component', 'subscribe', +PCJ_SOCKETFAIL, 'failed');
            $_[KERNEL]->post('component', 'subscribe', +PCJ_CONNECTFAIL, 'failed');
            $_[KERNEL]->post('component', 'subscribe', +PCJ_AUTHFAIL, 'failed');
            for my $number (0 .. $#filters) {
                $_[KERNEL]->post('component', 'subscribe', "filter $number", 'match');
                $_[KERNEL]->post('component', 'xpath_filter', 'add', "filter $number", $filters[$number]);
            }
            $_[KERNEL]->post('component', 'connect');
        },
        node => sub {
            $received++;
            begin() if $received == $warm;
            finish() if $received == $warm + $measured;
        },
        match  => sub { $matched++ },
        finish => sub { finish() },
        failed => sub { die "failed: @_[ARG0 .. $#_]" },
        ready  => sub { $_[KERNEL]->yield('send', 0) if $measure eq 'outbound' },
        send   => sub {
            my ($kernel, $sent) = @_[KERNEL, ARG0];
            return $kernel->delay('finish', 0.5) if $sent >= $warm + $measured;
            begin() if $sent == $warm;
            $kernel->post('component', 'output', message($sent + $_)) for 1 .. BATCH;
            $kernel->yield('send', $sent + BATCH);
        },
    },
);
POE::Kernel->run;
