use strict;
use warnings;
no warnings 'redefine';
use POE qw(Wheel::ReadWrite Filter::Line);
use POE::Component::Jabber;
use POE::Component::Jabber::Events;
use POE::Filter::XML::Handler;
use POE::Filter::XML::Node;

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

$| = 1;
binmode STDOUT, ':utf8';
sub say_line { print join("\t", @_), "\n" }

sub node {
    my ($name, %attributes) = @_;
    my $node = POE::Filter::XML::Node->new($name);
    $node->setAttributes([%attributes]);
    return $node;
}

my $name = $ENV{PEER_JID};
POE::Session->create(
    inline_states => {
        _start => sub {
            my ($kernel, $heap) = @_[KERNEL, HEAP];
            $kernel->alias_set('peer');
            POE::Component::Jabber->new(
                IP => $ENV{PEER_HOST}, PORT => $ENV{PEER_PORT}, HOSTNAME => $name, USERNAME => 'peer',
                PASSWORD => $ENV{PEER_PASSWORD}, ALIAS => 'component', CONNECTIONTYPE => +JABBERD14_COMPONENT,
            );
            $kernel->post('component', 'subscribe', +PCJ_NODERECEIVED, 'node');
            $kernel->post('component', 'subscribe', +PCJ_READY, 'ready');
            $kernel->post('component', 'subscribe', $_, 'failed')
                for +PCJ_SOCKETFAIL, +PCJ_SOCKETDISCONNECT, +PCJ_CONNECTFAIL, +PCJ_AUTHFAIL;
            $kernel->post('component', 'connect');
        },
        ready => sub {
            say_line('online', $name);
            $_[HEAP]{input} = POE::Wheel::ReadWrite->new(
                InputHandle => \*STDIN, OutputHandle => \*STDERR, Filter => POE::Filter::Line->new, InputEvent => 'order',
                ErrorEvent => 'quit',
            );
        },
        quit   => sub { exit },
        failed => sub { say_line('failed', 'event ' . $_[STATE]); exit },
        order  => sub {
            utf8::decode(my $line = $_[ARG0]);
            my ($order, $to, $text) = split /\t/, $line;
            if ($order eq 'message') {
                my $message = node('message', to => $to, from => $name, type => 'chat');
                my $body = POE::Filter::XML::Node->new('body');
                $body->appendText($text);
                $message->appendChild($body);
                $_[KERNEL]->post('component', 'output', $message);
            } elsif ($order eq 'ping') {
                my $iq = node('iq', to => $to, from => $name, type => 'get', id => 'ping');
                $iq->appendChild(node('ping', xmlns => 'urn:xmpp:ping'));
                $_[KERNEL]->post('component', 'output', $iq);
            }
        },
        node => sub {
            my $node = $_[ARG0];
            say_line($node->getAttribute('type') eq 'result' ? 'pong' : 'failed')
                if ($node->getAttribute('id') // '') eq 'ping';
            my ($body) = $node->getChildrenByTagName('body');
            say_line('message', $node->getAttribute('from'), $body->textContent) if $body;
        },
    },
);
POE::Kernel->run;
